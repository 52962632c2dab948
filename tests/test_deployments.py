"""What is declared of a deployment: each mistake is named by its field, and nothing is made of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from flowsource import Cron, aserve, flow, serve
from flowsource.errors import InvalidInput


@flow
def hello(day: str = "today") -> str:
    return day


def test_what_is_declared_is_what_was_given() -> None:
    declared = hello.to_deployment(
        "nightly", cron="0 2 * * *", parameters={"day": "2026-01-01"}, tags=["etl"], limit=2
    ).declared
    assert (declared.name, declared.schedules, declared.tags) == ("nightly", (Cron("0 2 * * *"),), ("etl",))
    assert (declared.parameters, declared.limit, declared.paused) == ({"day": "2026-01-01"}, 2, None)
    assert (declared.paths, declared.on_dependency_change) == ((), "report")
    assert hello.to_deployment(paths=["./flows/", "lib/x.py"]).declared.paths == ("flows", "lib/x.py")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "a/b"}, "name: 'a/b' contains '/'"),
        ({"name": 5}, "name: 5"),
        ({"parameters": {"day": date(2026, 1, 1)}}, r"parameters\.day: is a date, .* such as '2026-01-01'"),
        ({"parameters": {"day": {"n": float("nan")}}}, r"parameters\.day\.n: is not a finite number"),
        ({"parameters": [1]}, "parameters: is a list; give a dict"),
        ({"parameters": []}, "parameters: is a list; give a dict"),
        ({"schedule": "* * * * *"}, "schedule: .* say cron="),
        ({"interval": float("nan")}, "interval: nan"),
        ({"interval": float("inf")}, "interval: inf"),
        ({"interval": timedelta(0)}, "interval: "),
        ({"cron": 5}, "cron: 5 is not text"),
        ({"tags": 5}, r"tags: 5 is not a list of non-empty strings"),
        ({"tags": "etl"}, r"tags: 'etl' is not a list"),
        ({"tags": {"etl": 1}}, r"tags: .* is not a list"),
        ({"tags": ["etl", ""]}, "tags: "),
        ({"limit": "3"}, "limit: '3' is not 1 or more"),
        ({"limit": True}, "limit: True is not 1 or more"),
        ({"limit": 0}, "limit: 0 is not 1 or more"),
        ({"paused": "no"}, "paused: 'no' is neither True nor False"),
        ({"description": 5}, "description: 5 is not text"),
        ({"version": 5}, "version: 5 is not text"),
        ({"paths": "flows"}, "paths: 'flows' is not a list of paths"),
        ({"paths": []}, r"paths: \[\] is not a list of paths"),
        ({"paths": [""]}, "paths: "),
        ({"paths": [5]}, "paths: "),
        ({"paths": ["/etc"]}, "paths: '/etc' is no path inside the source"),
        ({"paths": ["a/../.."]}, "paths: .* is no path inside"),
        ({"paths": ["."]}, "paths: '' is no path inside"),
        ({"on_dependency_change": "ignore"}, "on_dependency_change: 'ignore' is neither 'report' nor 'hold'"),
        ({"pause_on_shutdown": "x"}, "pause_on_shutdown: 'x' is neither"),
        ({"pause_on_shutdown": None}, "pause_on_shutdown: None is neither"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{said}"):
        hello.to_deployment(**options)


def test_an_option_that_there_is_not_is_an_error_as_in_any_call() -> None:
    with pytest.raises(TypeError, match=r"corn: not an option of a deployment; there are .*cron"):
        hello.to_deployment(corn="* * * * *")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "there is no deployment to serve"),
        ((hello,), r"<Flow 'hello'> is a flow, not a deployment; give what its `to_deployment\(name=...\)` returns"),
        (([hello.to_deployment()],), "a list is not a deployment; give each one"),
    ],
)
def test_only_deployments_can_be_served(given: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^serve: {said}"):
        serve(*given)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": "3"}, "limit: '3'"),
        ({"limit": True}, "limit: True"),
        ({"pause_on_shutdown": "x"}, "pause_on_shutdown: 'x'"),
    ],
)
async def test_an_option_of_serving_that_cannot_be_used_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{said}"):
        await aserve(hello.to_deployment(), **options)
