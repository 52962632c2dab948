"""What is done to all that a query asks for is done to each of them, and to nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from flowsource.bulk import Done, cancel_runs, pause_deployments, rerun_runs
from flowsource.queries.deployments import parse_deployments
from flowsource.queries.runs import parse_runs
from flowsource.queries.terms import Query
from flowsource.runs import RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import NestedRun
from tests.store.words import ANNA, NOW, SECOND, end, registration, serve

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/flowsource.db") as store:
        yield store


async def cancel(store: Store, query: Query) -> Done:
    return await cancel_runs(store, query, ANNA, now=lambda: NOW)


async def test_all_runs_that_fit_are_cancelled_or_asked_to_end_and_no_others(store: Store) -> None:
    etl = await serve(store, registration(tags=("etl",)))
    other = await serve(store, registration(flow="other"))
    ended, going_on = await etl.ask(), await etl.ask()
    await end(store, await etl.start_one())
    await etl.start_one()
    waiting = [await etl.ask() for _ in range(150)]
    left = await other.ask()

    done = await cancel(store, parse_runs("tag:etl", now=NOW))

    assert done == Done({"cancelled": 150, "asked to end": 1}, {})
    after = {run.id: run for run in await store.runs(limit=1000)}
    assert {after[run.id].state for run in waiting} == {RunState.CANCELLED}
    assert sorted((after[run.id].state, bool(after[run.id].cancellation)) for run in (ended, going_on)) == [
        ("completed", False),
        ("running", True),
    ]
    assert after[left.id] == left


async def test_those_that_are_to_end_already_are_passed_over(store: Store) -> None:
    etl = await serve(store, registration())
    await etl.ask()
    await etl.start_one()
    await cancel(store, Query())

    assert await cancel(store, Query()) == Done({}, {"is to end already": 1})


async def test_runs_that_wait_are_cancelled_before_a_place_becomes_free_for_them(store: Store) -> None:
    etl = await serve(store, registration(limit=1))
    await etl.ask()
    going_on = await etl.start_one()
    waiting = [await etl.ask() for _ in range(2)]
    instants = count(1)

    await cancel_runs(store, Query(), ANNA, now=lambda: NOW + next(instants) * SECOND)

    asked = {run.id: run.cancellation.asked_at for run in await store.runs() if run.cancellation}
    assert max(asked[run.id] for run in waiting) < asked[going_on.id]


async def test_what_goes_on_inside_another_run_is_passed_over(store: Store) -> None:
    etl = await serve(store, registration())
    await etl.ask()
    parent = await etl.start_one()
    child = await etl.ask(parent_id=parent.id)
    inner = NestedRun(id=uuid4(), name="inner", flow="part", state=RunState.RUNNING, started_at=NOW)
    await store.nest(parent.id, parent.epoch, [inner])

    done = await cancel(store, parse_runs(f"parent:{parent.id}", now=NOW))

    assert done == Done({"cancelled": 1}, {"goes on inside another run": 1})
    assert (await store.run(str(child.id))).state is RunState.CANCELLED
    assert (await store.run(str(parent.id))).cancellation is None


async def test_all_deployments_that_fit_are_paused_and_resumed_with_their_history(store: Store) -> None:
    server = await serve(store, *(registration(f"d{number}", tags=("etl",)) for number in range(3)), registration("x"))
    first = server.deployments[0]
    await store.set_paused(first.id, True, now=NOW)
    query = parse_deployments("tag:etl", now=NOW)

    assert await pause_deployments(store, query, True, ANNA, now=lambda: NOW) == Done(
        {"paused": 2}, {"is paused already": 1}
    )
    assert [one.paused for one in await store.deployments()] == [True, True, True, False]
    assert (await store.history(server.deployments[1].id))[0].by == ANNA.by
    assert (await pause_deployments(store, query, False, ANNA, now=lambda: NOW)).changed == {"resumed": 3}


async def test_all_that_have_ended_are_asked_for_again_and_each_once(store: Store) -> None:
    etl = await serve(store, registration(tags=("etl",)))
    for day in ("monday", "tuesday", "wednesday"):
        await etl.ask(parameters={"day": day})
        await end(store, await etl.start_one())
    await etl.ask(parameters={"day": "thursday"})
    query = parse_runs("tag:etl", now=NOW)

    async def again(limit: int | None = None) -> Done:
        return await rerun_runs(store, query, limit=limit, idempotency_key="monday", now=lambda: NOW + SECOND)

    assert await again(limit=2) == Done({"asked for again": 2}, {}, has_more=True)
    assert await again() == Done({"asked for again": 3}, {})
    made = [run for run in await store.runs(limit=100) if run.rerun_of is not None]
    assert sorted(run.parameters["day"] for run in made) == ["monday", "tuesday", "wednesday"]


async def test_what_never_had_a_revision_is_not_asked_for_again_at_the_same(store: Store) -> None:
    etl = await serve(store, registration())
    await etl.ask()
    await cancel(store, Query())

    done = await rerun_runs(store, Query(), at_same_revision=True, now=lambda: NOW)

    assert done == Done({}, {"went on inside another run, or never had a revision": 1})
