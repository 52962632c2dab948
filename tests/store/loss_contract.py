"""What every store promises about runs whose runner is gone; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from flowsource.errors import InvalidTransition, Superseded
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import LOST_FOR, RERUN_AFTER, about
from tests.store.words import (
    ANNA,
    GENEROUS,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Server,
    end,
    fail,
    registration,
    release,
    runner_ids,
    serve,
    start,
    way_of,
)

LATER = NOW + MINUTE
BEGAN = [RunState.SCHEDULED, RunState.CLAIMED, RunState.RUNNING]


async def running(store: Store, **said: Any) -> tuple[Server, Run]:
    """A server whose lease is over after a second, with a run that it started."""
    server = await serve(store, registration(**said), lease=SECOND)
    await server.ask()
    return server, await server.start_one()


async def come_back(server: Server, now: datetime) -> None:
    """Register again, as the same runner."""
    await server.store.register(server.id, [registration()], lease_until=now + HOUR, now=now)


class LossContract:
    async def test_the_runs_of_a_dead_server_are_crashed_at_once(self, store: Store) -> None:
        server, run = await running(store)
        other = await serve(store, registration("weekly"), lease=HOUR)
        assert await runner_ids(store) == sorted([server.id, other.id])
        await server.ask()
        claimed = await server.claim_one()
        async with store.changes(about(run.id)) as changes:
            crashed = await store.reap(now=NOW, dead=[server.id])
            assert await changes.wait(GENEROUS)
        assert {one.id for one in crashed} == {run.id, claimed.id}
        assert {(one.state, one.ended_at) for one in crashed} == {(RunState.CRASHED, NOW)}
        assert crashed[0].failure is not None
        assert "its server ended" in crashed[0].failure.message
        assert await way_of(store, run) == [*BEGAN, RunState.CRASHED]
        [attempt] = await store.attempts(run.id)
        assert (attempt.state, attempt.ended_at, attempt.failure) == (RunState.CRASHED, NOW, crashed[0].failure)
        assert await runner_ids(store) == [other.id]
        assert await store.reap(now=NOW, dead=[server.id]) == []

    async def test_a_dead_server_that_was_out_of_sight_before_leaves_nothing_lost(self, store: Store) -> None:
        server, run = await running(store)
        await store.reap(now=LATER)
        [crashed] = await store.reap(now=LATER, dead=[server.id])
        assert (crashed.id, crashed.state) == (run.id, RunState.CRASHED)
        assert await way_of(store, run) == [*BEGAN, RunState.LOST, RunState.CRASHED]

    async def test_a_run_stays_lost_for_a_while_and_is_given_up_then(self, store: Store) -> None:
        server, run = await running(store)
        [lost] = await store.reap(now=LATER)
        assert (lost.state, lost.ended_at, lost.runner_id) == (RunState.LOST, None, server.id)
        assert lost.failure is not None
        assert "longer than its lease" in lost.failure.message
        assert [one.state for one in await store.attempts(run.id)] == [RunState.LOST]
        assert await store.reap(now=LATER + LOST_FOR) == []
        [crashed] = await store.reap(now=LATER + LOST_FOR + SECOND)
        assert (crashed.id, crashed.state) == (run.id, RunState.CRASHED)
        assert await store.reap(now=LATER + 2 * LOST_FOR) == []
        with pytest.raises(InvalidTransition):
            await end(store, run)

    async def test_a_lost_run_counts_against_the_limits(self, store: Store) -> None:
        await running(store, global_limit=1)
        await store.reap(now=LATER)
        other = await serve(store, registration(global_limit=1), lease=HOUR)
        await other.ask()
        assert await other.claim() == []

    async def test_a_server_that_is_back_has_its_runs_again(self, store: Store) -> None:
        server, run = await running(store)
        await store.reap(now=LATER)
        async with store.changes(about(run.id)) as changes:
            await come_back(server, LATER)
            assert await changes.wait(GENEROUS)
        found = await store.run(str(run.id))
        assert found == dataclasses.replace(run, changed_at=LATER)
        assert await store.reap(now=LATER + LOST_FOR) == []
        assert (await end(store, run)).state is RunState.COMPLETED
        assert await way_of(store, run) == [*BEGAN, RunState.LOST, RunState.RUNNING, RunState.COMPLETED]

    async def test_another_server_does_not_bring_lost_runs_back(self, store: Store) -> None:
        _, run = await running(store)
        await store.reap(now=LATER)
        await serve(store, registration(), now=LATER)
        assert (await store.run(str(run.id))).state is RunState.LOST

    async def test_the_end_of_a_lost_run_is_heard_without_its_server_being_back(self, store: Store) -> None:
        _, run = await running(store)
        await store.reap(now=LATER)
        assert (await end(store, run)).state is RunState.COMPLETED

    async def test_a_lost_run_may_have_failed_and_want_another_attempt(self, store: Store) -> None:
        _, run = await running(store)
        await store.reap(now=LATER)
        assert (await fail(store, run, retry_at=LATER)).state is RunState.RETRYING

    async def test_a_run_that_begins_while_it_is_lost_is_found_with_its_server(self, store: Store) -> None:
        server = await serve(store, registration(), lease=SECOND)
        await server.ask()
        claimed = await server.claim_one()
        await store.reap(now=LATER)
        began = await start(store, claimed, now=LATER)
        assert (began.state, began.started_at) == (RunState.LOST, LATER)
        assert await store.reap(now=LATER) == []
        await come_back(server, LATER)
        assert await way_of(store, claimed) == [
            RunState.SCHEDULED,
            RunState.CLAIMED,
            RunState.LOST,
            RunState.RUNNING,
        ]

    async def test_a_start_that_is_told_twice_while_its_run_is_lost_is_one(self, store: Store) -> None:
        server, this = await serve(store, registration(), lease=SECOND), uuid4()
        await server.ask()
        claimed = await server.claim_one()
        await store.reap(now=LATER)
        began = await store.start(claimed.id, claimed.epoch, at=LATER, transition_id=this)
        assert await store.start(claimed.id, claimed.epoch, at=LATER + SECOND, transition_id=this) == began

    async def test_a_start_that_is_told_once_more_when_its_server_is_back_is_one(self, store: Store) -> None:
        server, this = await serve(store, registration(), lease=SECOND), uuid4()
        await server.ask()
        claimed = await server.claim_one()
        await store.start(claimed.id, claimed.epoch, at=NOW, transition_id=this)
        await store.reap(now=LATER)
        lost = await store.start(claimed.id, claimed.epoch, at=LATER, transition_id=this)
        assert (lost.state, lost.started_at) == (RunState.LOST, NOW)
        await come_back(server, LATER)
        found = await store.start(claimed.id, claimed.epoch, at=LATER, transition_id=this)
        assert (found.state, found.started_at) == (RunState.RUNNING, NOW)
        assert (await end(store, found)).state is RunState.COMPLETED
        assert await way_of(store, found) == [*BEGAN, RunState.LOST, RunState.RUNNING, RunState.COMPLETED]

    async def test_a_run_that_was_lost_before_it_began_is_started_or_given_back_by_its_server(
        self, store: Store
    ) -> None:
        server = await serve(store, registration(), lease=SECOND)
        for _ in range(2):
            await server.ask()
        one, other = await server.claim()
        await store.reap(now=LATER)
        await come_back(server, LATER)
        assert (await start(store, one)).state is RunState.RUNNING
        assert (await release(store, other)).state is RunState.SCHEDULED

    async def test_a_run_of_a_dead_server_runs_again_at_once_where_that_is_wanted(self, store: Store) -> None:
        server, run = await running(store, on_lost="rerun")
        [waiting] = await store.reap(now=NOW + SECOND, dead=[server.id])
        assert (waiting.state, waiting.due_at, waiting.revision) == (RunState.RETRYING, NOW + SECOND, run.revision)
        other = await serve(store, registration(on_lost="rerun"))
        again = await other.claim_one(now=NOW + SECOND)
        assert (again.id, again.attempt, again.runner_id) == (run.id, 2, other.id)
        assert [one.state for one in await store.attempts(run.id)] == [RunState.CRASHED, RunState.CLAIMED]

    async def test_a_run_of_a_server_out_of_sight_runs_again_once_that_one_has_surely_stopped(
        self, store: Store
    ) -> None:
        _, run = await running(store, on_lost="rerun")
        [lost] = await store.reap(now=LATER)
        assert lost.state is RunState.LOST
        assert await store.reap(now=LATER + RERUN_AFTER) == []
        [waiting] = await store.reap(now=LATER + RERUN_AFTER + SECOND)
        assert (waiting.id, waiting.state) == (run.id, RunState.RETRYING)
        assert waiting.epoch > run.epoch

    async def test_whoever_still_executes_a_run_that_runs_again_is_fenced_off(self, store: Store) -> None:
        server, run = await running(store, on_lost="rerun")
        await store.reap(now=LATER)
        await store.reap(now=LATER + HOUR)
        await come_back(server, LATER + HOUR)
        waiting = await store.run(str(run.id))
        assert waiting.state is RunState.RETRYING
        for attempt in (
            start(store, run),
            end(store, run),
            release(store, run),
            store.rename(run.id, run.epoch, "other"),
            store.nest(run.id, run.epoch, []),
        ):
            with pytest.raises(Superseded):
                await attempt
        assert await store.run(str(run.id)) == waiting

    async def test_a_server_that_is_back_in_time_keeps_a_run_that_may_run_again(self, store: Store) -> None:
        server, run = await running(store, on_lost="rerun")
        await store.reap(now=LATER)
        await come_back(server, LATER + SECOND)
        assert await store.reap(now=LATER + MINUTE) == []
        assert (await end(store, run)).state is RunState.COMPLETED

    async def test_a_run_that_is_to_end_does_not_run_again(self, store: Store) -> None:
        server, run = await running(store, on_lost="rerun")
        await store.ask_cancel(run.id, ANNA, now=NOW)
        [crashed] = await store.reap(now=NOW, dead=[server.id])
        assert (crashed.id, crashed.state) == (run.id, RunState.CRASHED)

    async def test_only_the_deployment_that_wants_it_has_its_runs_again(self, store: Store) -> None:
        server = await serve(store, registration(), registration("weekly", on_lost="rerun"))
        await server.ask()
        once = await server.start_one()
        moved = await store.reap(now=NOW, dead=[server.id, uuid4()])
        assert [(one.id, one.state) for one in moved] == [(once.id, RunState.CRASHED)]
