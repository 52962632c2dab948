"""A run that is asked for: what fits is accepted, the rest is named, and then there is no run."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from flowsource import flow
from flowsource.deployments import FlowFacts
from flowsource.errors import InvalidInput, InvalidParameters
from flowsource.runner.asking import arun_deployment
from flowsource.runner.requests import request_run
from flowsource.store.protocol import Store
from flowsource.store.values import Registration
from tests.store.words import registration, serve

pytestmark = pytest.mark.anyio


@flow
def etl(n: int, scale: float = 1.0, many: list[int] | None = None) -> None: ...


def of_etl(**parameters: Any) -> Registration:
    """A deployment of `etl` with these parameters."""
    said = registration(parameters=parameters)
    return Registration(
        declared=said.declared,
        facts=FlowFacts(name="etl", parameter_schema=etl.parameter_schema),
        active=said.active,
    )


async def test_parameters_of_the_deployment_that_the_flow_takes_bar_no_run(store: Store) -> None:
    await serve(store, of_etl(n="5"))
    run = await request_run(store, "etl/nightly", {"scale": 2.5, "many": (1, 2)})
    assert run.parameters == {"n": "5", "scale": 2.5, "many": [1, 2]}
    assert await store.run(str(run.id)) == run


async def test_what_is_asked_for_is_held_against_the_schema_to_the_letter(store: Store) -> None:
    await serve(store, of_etl(n="5"))
    with pytest.raises(InvalidParameters) as caught:
        await request_run(store, "etl/nightly", {"n": "6", "third": 1})
    assert caught.value.problems == {"n": "should be integer", "third": "is not a parameter of this flow"}


async def test_what_neither_the_deployment_nor_the_asker_gives_is_required(store: Store) -> None:
    await serve(store, of_etl(scale=2.0))
    with pytest.raises(InvalidParameters, match="n: is required"):
        await request_run(store, "etl/nightly", {})
    assert (await request_run(store, "etl/nightly", {"n": 1})).parameters == {"scale": 2.0, "n": 1}


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"n": 1, "scale": float("nan")}, "scale"),
        ({"n": 1, "many": [1, date(2026, 1, 1)]}, "many.1"),
        ({"n": 1, "many": [0] * 600_000}, "parameters"),
        ([1], "parameters"),
    ],
)
async def test_what_cannot_be_kept_as_json_is_refused_by_its_path(store: Store, parameters: Any, where: str) -> None:
    await serve(store, of_etl())
    with pytest.raises(InvalidParameters) as caught:
        await request_run(store, "etl/nightly", parameters)
    assert list(caught.value.problems) == [where]
    assert await store.runs() == []


async def test_tags_are_held_to_the_same_rule_as_those_of_a_deployment(store: Store) -> None:
    await serve(store, of_etl(n=1))
    with pytest.raises(InvalidInput, match=r"^tags: 'etl' is not a list"):
        await request_run(store, "etl/nightly", {}, tags="etl")
    assert await store.runs() == []


async def test_a_time_that_is_no_instant_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^scheduled_time: '02:00' is not an aware datetime"):
        await arun_deployment("etl/nightly", scheduled_time="02:00")  # type: ignore[arg-type]
