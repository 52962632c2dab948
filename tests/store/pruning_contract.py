"""What every store promises about removing what was kept long enough; its tests subclass this."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import anyio

from flowsource.errors import RunNotFound
from flowsource.retention import Limits, Pruned, may_go
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NestedRun, NewRun, Outcome
from tests.store.words import COMPLETED, HOUR, MINUTE, NOW, SECOND, Server, lines, registration, serve, start

DAY = timedelta(days=1)


async def ask(server: Server, at: datetime, name: str | None = None, **said: Any) -> Run:
    """Ask for a run at that instant."""
    new = NewRun(deployment_id=server.deployments[0].id, scheduled_at=at, name=name, **said)
    return await server.store.create_run(new, now=at)


async def ended(server: Server, at: datetime, name: str | None = None, *, count: int = 0) -> Run:
    """A run that was asked for and ended at that instant, with so many lines of log."""
    store = server.store
    asked = await ask(server, at, name)
    run = await start(store, await server.claim_one(now=at), now=at)
    assert run.id == asked.id
    return await store.finish(
        run.id, run.epoch, COMPLETED, at=at, transition_id=uuid4(), lines=lines(*range(1, count + 1))
    )


async def prune(store: Store, what: Limits) -> Pruned:
    """Remove all that may go."""
    expected, gone = await store.prunable(what), Pruned()
    async for step in _steps(store, what):
        gone += step
    assert gone.lines == expected.lines
    assert await store.prunable(what) == Pruned()
    assert await store.prune(what) == Pruned()
    return gone


async def _steps(store: Store, what: Limits) -> AsyncIterator[Pruned]:
    while step := await store.prune(what):
        yield step


def before(at: datetime) -> Limits:
    """Both go that ended before that."""
    return Limits(runs=at, logs=at)


async def names(store: Store) -> list[str]:
    return [run.name for run in await store.runs(limit=1000)]


class PruningContract:
    async def test_runs_that_ended_long_ago_go_with_all_that_is_known_of_them(self, store: Store) -> None:
        server = await serve(store, registration(tags=("etl",)), lease=1000 * DAY)
        old = await ended(server, NOW, "old", count=3)
        await ended(server, NOW + DAY, "newer")

        assert await prune(store, before(NOW + HOUR)) == Pruned(runs=1, lines=3)

        assert await names(store) == ["newer"]
        for ask_for in (store.attempts(old.id), store.transitions(old.id), store.run(str(old.id))):
            try:
                await ask_for
            except RunNotFound:
                continue
            raise AssertionError("it is there")
        assert await store.lines(old.id) == []

    async def test_what_goes_on_what_waits_and_the_newest_of_each_deployment_stay(self, store: Store) -> None:
        server = await serve(store, registration(), lease=1000 * DAY)
        other = await serve(store, registration(flow="other"), lease=1000 * DAY)
        dormant = await ended(other, NOW, "dormant", count=2)
        await ended(server, NOW, "ended")
        await ask(server, NOW + SECOND, "runs")
        await server.start_one(now=NOW + SECOND)
        await ask(server, NOW + 2 * SECOND, "claimed")
        await server.claim_one(now=NOW + 2 * SECOND)
        await ask(server, NOW + 3 * SECOND, "waits")
        await ended(await serve(store, registration(flow="third"), lease=1000 * DAY), NOW, "third")

        assert await prune(store, before(NOW + 100 * DAY)) == Pruned(runs=1)

        assert set(await names(store)) == {"dormant", "runs", "claimed", "waits", "third"}
        assert len(await store.lines(dormant.id)) == 2

    async def test_what_goes_is_what_may_go(self, store: Store) -> None:
        server = await serve(store, registration(), lease=1000 * DAY)
        for state in (RunState.COMPLETED, RunState.FAILED, RunState.CRASHED, RunState.CANCELLED, RunState.TIMED_OUT):
            for hours in (1, 2, 3):
                at = NOW + hours * HOUR
                await ask(server, at - MINUTE)
                run = await start(store, await server.claim_one(now=at), now=at)
                await store.finish(run.id, run.epoch, Outcome(state=state), at=at, transition_id=uuid4())
        there = await store.runs(limit=100)
        for limit in (NOW + 2 * HOUR - MINUTE, NOW + 2 * HOUR, NOW + 2 * HOUR + SECOND):
            stay = [run for run in there if not may_go(run, limit, is_newest=run is there[0])]
            await prune(store, before(limit))
            assert await store.runs(limit=100) == stay

    async def test_logs_go_before_their_runs(self, store: Store) -> None:
        server = await serve(store, registration(), lease=1000 * DAY)
        runs = [await ended(server, NOW + hours * HOUR, f"{hours}", count=2) for hours in range(4)]

        assert await prune(store, Limits(runs=NOW + HOUR, logs=NOW + 2 * HOUR)) == Pruned(runs=1, lines=4)

        assert await names(store) == ["3", "2", "1"]
        assert [len(await store.lines(run.id)) for run in runs[1:]] == [0, 2, 2]
        assert await prune(store, Limits(runs=None, logs=NOW + DAY)) == Pruned(lines=2)
        assert await prune(store, Limits(runs=None, logs=None)) == Pruned()

    async def test_a_long_log_and_a_long_history_go_in_many_steps(self, store: Store) -> None:
        server = await serve(store, registration(), lease=1000 * DAY)
        long = await ended(server, NOW, count=5000)
        for second in range(1, 131):
            await ended(server, NOW + second * SECOND)

        steps = [step async for step in _steps(store, before(NOW + HOUR))]

        assert sum(steps, Pruned()) == Pruned(runs=130, lines=5000)
        assert len(steps) > 3
        assert max(step.lines for step in steps) <= 2000 and max(step.runs for step in steps) <= 100
        assert await store.lines(long.id) == []

    async def test_runs_inside_one_go_with_it_and_those_it_asked_for_stay(self, store: Store) -> None:
        server = await serve(store, registration(), lease=1000 * DAY)
        await ask(server, NOW)
        parent = await start(store, await server.claim_one())
        inner = [
            NestedRun(id=uuid4(), name="inner", flow="part", state=RunState.COMPLETED, started_at=NOW, ended_at=NOW)
            for _ in range(130)
        ]
        await store.nest(parent.id, parent.epoch, inner)
        child = await ask(server, NOW + SECOND, "child", parent_id=parent.id)
        await store.finish(parent.id, parent.epoch, COMPLETED, at=NOW, transition_id=uuid4())

        await prune(store, before(NOW + DAY))

        assert await names(store) == ["child"]
        assert (await store.run(str(child.id))).parent_id is None
        assert await store.runs(parent_id=parent.id, limit=1000) == []

    async def test_removing_twice_at_once_removes_once(self, store: Store) -> None:
        server = await serve(store, registration(), lease=1000 * DAY)
        for second in range(30):
            await ended(server, NOW + second * SECOND, count=1)
        gone: list[Pruned] = []

        async def remove() -> None:
            gone.extend([step async for step in _steps(store, before(NOW + DAY))])

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(remove)

        assert sum(gone, Pruned()) == Pruned(runs=29, lines=29)

    async def test_a_turn_is_taken_by_one_until_it_is_over(self, store: Store) -> None:
        taken = []

        async def take() -> None:
            taken.append(await store.take_turn("prune", now=NOW, length=MINUTE))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(take)

        assert sorted(taken) == [False] * 4 + [True]
        assert await store.take_turn("another", now=NOW, length=MINUTE)
        assert not await store.take_turn("prune", now=NOW + MINUTE - SECOND, length=MINUTE)
        assert await store.take_turn("prune", now=NOW + MINUTE, length=MINUTE)

    async def test_a_turn_that_was_taken_by_a_clock_far_ahead_does_not_last(self, store: Store) -> None:
        assert await store.take_turn("prune", now=NOW + DAY, length=MINUTE)
        assert await store.take_turn("prune", now=NOW, length=MINUTE)
