"""Where the code of a flow is: what a run loads from there is the very flow that was served."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flowsource import Flow, flow
from flowsource.errors import InvalidDeployment
from flowsource.runner.origin import origin_of


@flow
def hello() -> str:
    return "hello"


def plain() -> str:
    return "plain"


def loudly(function: Callable[[], str]) -> Callable[[], str]:
    @wraps(function)
    def loud() -> str:
        return function().upper()

    return loud


named = hello.with_options(name="x", log_prints=True)


short = flow(lambda: "short")


class Greeter:
    @staticmethod
    @flow
    def greet() -> str:
        return "hi"

    @flow
    def bound(self) -> str:
        return "hi"


@pytest.mark.parametrize(
    ("served", "path"),
    [
        (hello, "hello"),
        (named, "named"),
        (Greeter.greet, "Greeter.greet"),
        (flow(plain), "plain"),
        (hello.with_options(), "hello"),
    ],
)
def test_a_flow_is_found_by_the_name_that_its_module_has_for_it(served: Any, path: str) -> None:
    origin = origin_of(served)
    assert origin.entrypoint.endswith(f"test_origin.py:{path}")
    assert origin.source.mount is not None
    assert (origin.source.mount / origin.entrypoint.partition(":")[0]).samefile(Path(__file__))


@pytest.mark.parametrize(
    "served",
    [
        hello.with_options(name="x", log_prints=True),
        hello.with_options(description="Said otherwise."),
        hello.with_options(validate_parameters=False),
        flow(name="x")(plain),
        flow(log_prints=True)(plain),
        flow(loudly(plain)),
    ],
)
def test_a_flow_that_a_run_would_find_another_for_is_refused(served: Any) -> None:
    with pytest.raises(
        InvalidDeployment, match=r"is not what '\w+' in test_origin\.py is, and .* give this one a name"
    ):
        origin_of(served)


@pytest.mark.parametrize("function", [json.dumps, jsonschema.validate])
def test_what_is_installed_is_no_source(function: Any) -> None:
    with pytest.raises(InvalidDeployment, match="which is installed and no code of yours; serve a function"):
        origin_of(flow(function))


def test_a_flow_that_no_name_leads_to_is_refused() -> None:
    @flow
    def inner() -> None: ...

    with pytest.raises(InvalidDeployment, match="inside a function"):
        origin_of(inner)


def test_a_lambda_is_served_by_the_name_of_its_flow_and_refused_without_one() -> None:
    nameless: Flow[[], int] = flow(lambda: 1)
    assert origin_of(short).entrypoint.endswith("test_origin.py:short")
    with pytest.raises(
        InvalidDeployment, match=r"is a lambda without a name, .* give it a name at the top of its module"
    ):
        origin_of(nameless)


@pytest.mark.parametrize("file", ["<stdin>", "<ipython-input-1-2e5a>", "/tmp/ipykernel_1/3817.py"])
def test_what_was_typed_into_a_notebook_or_a_prompt_is_refused_with_the_next_step(file: str) -> None:
    there: dict[str, Any] = {"__name__": "typed_in", "flow": flow}
    exec(compile("@flow\ndef typed(): ...\n", file, "exec"), there)
    with pytest.raises(InvalidDeployment, match=r"is defined in no file, .* put it into a file and serve that"):
        origin_of(there["typed"])
