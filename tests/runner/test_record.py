"""The record of a run: in order, each step once, until the store takes or refuses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import anyio
import pytest

from flowsource.errors import StoreUnavailable
from flowsource.runner import record
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.record import RunRecord
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NestedRun, Outcome
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


class Refusals:
    """How often a record found that its run is not ours."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def record_of(run: Run, store: Store, refusals: Refusals) -> RunRecord:
    return RunRecord(run, store, Terminal(StringIO()), on_refused=refusals)


def nested(run: Run, state: RunState, number: int) -> NestedRun:
    return NestedRun(id=run.id.__class__(int=number), name=f"inner-{number}", flow="inner", state=state, started_at=NOW)


async def test_all_that_was_told_is_there_when_the_end_is_recorded(store: Store, run: Run) -> None:
    refusals = Refusals()
    told = record_of(run, store, refusals)
    async with anyio.create_task_group() as tasks:
        told.open(tasks)
        told.started(NOW)
        told.renamed("another name")
        for number in range(1, 101):
            told.nested(nested(run, RunState.RUNNING, number))
        assert await told.finish(Outcome(state=RunState.COMPLETED))
    kept = await store.run(str(run.id))
    assert (kept.name, kept.state, kept.started_at) == ("another name", RunState.COMPLETED, NOW)
    assert kept == told.run
    assert len(await store.runs(parent_id=run.id, limit=1000)) == 100
    assert refusals.count == 0


async def test_a_store_that_is_away_is_asked_again_and_nothing_is_out_of_order(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_STORE_RETRY", timedelta(milliseconds=1))
    asked: list[Any] = []
    start = store.start

    async def away_at_first(*args: Any, **kwargs: Any) -> Run:
        asked.append(kwargs["transition_id"])
        if len(asked) < 4:
            raise StoreUnavailable("away")
        return await start(*args, **kwargs)

    monkeypatch.setattr(store, "start", away_at_first)
    told = record_of(run, store, Refusals())
    async with anyio.create_task_group() as tasks:
        told.open(tasks)
        told.started(NOW)
        await told.settled()
        assert (await store.run(str(run.id))).state is RunState.RUNNING
        assert await told.finish(Outcome(state=RunState.COMPLETED))
    assert len(asked) == 4
    assert len(set(asked)) == 1, "it is the same step each time"
    assert (await store.run(str(run.id))).state is RunState.COMPLETED


async def test_what_has_ended_at_once_began_and_ended_in_one_write(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def separately(*args: Any, **kwargs: Any) -> Run:
        raise AssertionError("one write is enough")

    monkeypatch.setattr(store, "start", separately)
    told = record_of(run, store, Refusals())
    async with anyio.create_task_group() as tasks:
        told.open(tasks)
        told.started(NOW)
        assert await told.finish(Outcome(state=RunState.COMPLETED))
    assert [step.state for step in await store.transitions(run.id)][-2:] == [RunState.RUNNING, RunState.COMPLETED]


async def test_a_beginning_is_recorded_by_itself_while_the_run_goes_on(store: Store, run: Run) -> None:
    told = record_of(run, store, Refusals())
    async with anyio.create_task_group() as tasks:
        told.open(tasks)
        told.started(NOW)
        await until(lambda: told.run.state is RunState.RUNNING)
        assert (await store.run(str(run.id))).started_at == NOW


async def test_what_is_told_while_the_end_is_recorded_tells_no_second_beginning(store: Store, run: Run) -> None:
    refusals = Refusals()
    told = record_of(run, store, refusals)

    async def finish() -> None:
        assert await told.finish(Outcome(state=RunState.COMPLETED))

    async def tell_late() -> None:
        await told.settled()
        told.renamed("too late")

    async with anyio.create_task_group() as tasks:
        told.open(tasks)
        told.started(NOW)
        tasks.start_soon(finish)
        tasks.start_soon(tell_late)
    assert (await store.run(str(run.id))).state is RunState.COMPLETED
    assert refusals.count == 0


async def test_a_run_that_is_not_ours_any_more_is_told_once_and_left_alone(store: Store, run: Run) -> None:
    await store.release(run.id, run.epoch, at=NOW, transition_id=uuid4())
    refusals = Refusals()
    told = record_of(run, store, refusals)
    async with anyio.create_task_group() as tasks:
        told.open(tasks)
        told.started(NOW)
        told.renamed("never")
        assert not await told.finish(Outcome(state=RunState.COMPLETED))
    kept = await store.run(str(run.id))
    assert (kept.state, kept.name) == (RunState.SCHEDULED, run.name)
    assert refusals.count == 1


async def test_the_end_is_recorded_even_when_we_are_cancelled(store: Store, run: Run) -> None:
    told = record_of(run, store, Refusals())
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            told.open(tasks)
            told.started(NOW)
            scope.cancel()
            await told.finish(Outcome(state=RunState.COMPLETED))
    assert (await store.run(str(run.id))).state is RunState.COMPLETED


async def test_a_record_that_is_abandoned_waits_for_no_store(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: Any, **kwargs: Any) -> Run:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "finish", away)
    told = record_of(run, store, Refusals())
    told.abandon()
    assert not await told.finish(Outcome(state=RunState.COMPLETED))


async def test_what_was_not_begun_goes_back(store: Store, run: Run) -> None:
    assert await record_of(run, store, Refusals()).release()
    kept = await store.run(str(run.id))
    assert (kept.state, kept.attempt) == (RunState.SCHEDULED, 0)
