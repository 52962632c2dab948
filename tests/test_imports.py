"""`from flowsource import flow` costs next to nothing: counted in modules, which no machine makes faster or slower."""

from __future__ import annotations

import pytest

import flowsource
from tests.support.modules import modules_loaded_by

ALWAYS_THERE = "import __future__, collections.abc, contextvars, importlib, time, types, typing"

DEFINE_AND_CALL = """
from flowsource import flow

@flow
def hello():
    return "hello"

assert hello() == "hello"
"""


def test_importing_the_package_loads_no_other_module_of_it() -> None:
    assert _of_ours(modules_loaded_by("import flowsource")) == {"flowsource"}


@pytest.mark.parametrize("code", ["from flowsource import flow", DEFINE_AND_CALL])
def test_a_flow_is_imported_and_called_with_nothing_but_typing(code: str) -> None:
    loaded = modules_loaded_by(code)

    assert _of_ours(loaded) == {"flowsource", "flowsource.calling", "flowsource.calling.calls", "flowsource.flows"}
    assert loaded - _of_ours(loaded) - modules_loaded_by(ALWAYS_THERE) == frozenset()


@pytest.mark.parametrize("name", flowsource.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(flowsource, name).__module__.startswith("flowsource.")


def _of_ours(modules: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in modules if name.partition(".")[0] == "flowsource")
