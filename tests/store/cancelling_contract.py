"""What every store promises about cancelling; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

import dataclasses
from functools import partial
from uuid import uuid4

import anyio
import pytest

from flowsource.errors import InvalidTransition, RunNotFound, Superseded
from flowsource.promotions import Author
from flowsource.runs import Cancellation, CancelPhase, Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import CANCELS, Outcome
from tests.store.words import (
    ANNA,
    BOOM,
    GENEROUS,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Server,
    end,
    fail,
    registration,
    serve,
    start,
)

BEN = Author(by="ben")
ASKED = Cancellation(asked_at=NOW + SECOND, by="anna", reason="wrong day")


async def run_in(server: Server, state: RunState) -> Run:
    """A run that has come to `state`."""
    store = server.store
    waiting = await server.ask(NOW - HOUR)
    if state is RunState.SCHEDULED:
        return waiting
    if state is RunState.SKIPPED:
        return await end(store, waiting, Outcome(state=state))
    claimed = await server.claim_one()
    if state is RunState.CLAIMED:
        return claimed
    running = await start(store, claimed)
    if state is RunState.RUNNING:
        return running
    if state is RunState.RETRYING:
        return await fail(store, running, retry_at=NOW)
    if state is RunState.LOST:
        [lost] = await store.reap(now=NOW + MINUTE)
        return lost
    return await end(store, running, Outcome(state=state, failure=BOOM))


class CancellingContract:
    @pytest.mark.parametrize("state", [RunState.SCHEDULED, RunState.RETRYING])
    async def test_a_run_that_waits_is_cancelled_at_once(self, store: Store, state: RunState) -> None:
        server = await serve(store, registration())
        run = await run_in(server, state)
        cancelled = await store.ask_cancel(run.id, ANNA, now=NOW + SECOND)
        assert (cancelled.state, cancelled.ended_at) == (RunState.CANCELLED, NOW + SECOND)
        assert cancelled.cancellation == ASKED
        step = (await store.transitions(run.id))[-1]
        assert (step.by, step.reason) == ("anna", "cancelled by anna before it began: wrong day")
        assert await server.claim() == []

    @pytest.mark.parametrize("state", [RunState.CLAIMED, RunState.RUNNING])
    async def test_the_server_of_a_run_that_goes_on_is_told(self, store: Store, state: RunState) -> None:
        server = await serve(store, registration(limit=3))
        run = await run_in(server, state)
        assert await store.to_cancel(server.id) == []
        async with store.changes(CANCELS) as changes:
            told = await store.ask_cancel(run.id, ANNA, now=NOW + SECOND)
            assert await changes.wait(GENEROUS)
        assert told == dataclasses.replace(run, cancellation=ASKED)
        assert await store.to_cancel(server.id) == [told]
        assert await store.to_cancel(uuid4()) == []
        await end(store, run, Outcome(state=RunState.CANCELLED))
        assert await store.to_cancel(server.id) == []

    @pytest.mark.parametrize("state", sorted(state for state in RunState if state.is_final))
    async def test_a_run_that_has_ended_stays_as_it_is(self, store: Store, state: RunState) -> None:
        ended = await run_in(await serve(store, registration()), state)
        assert await store.ask_cancel(ended.id, ANNA, now=NOW) == ended
        assert await store.run(str(ended.id)) == ended

    @pytest.mark.parametrize("state", [RunState.SCHEDULED, RunState.CLAIMED, RunState.RUNNING, RunState.LOST])
    async def test_the_first_who_asks_is_kept(self, store: Store, state: RunState) -> None:
        run = await run_in(await serve(store, registration(), lease=SECOND), state)
        first = await store.ask_cancel(run.id, ANNA, now=NOW + SECOND)
        assert await store.ask_cancel(run.id, BEN, now=NOW + HOUR) == first

    async def test_a_run_that_is_lost_is_given_up(self, store: Store) -> None:
        run = await run_in(await serve(store, registration(), lease=SECOND), RunState.LOST)
        given_up = await store.ask_cancel(run.id, BEN, now=NOW + HOUR)
        assert (given_up.state, given_up.ended_at) == (RunState.CRASHED, NOW + HOUR)
        assert given_up.failure is not None
        assert given_up.failure.message == "ben gave it up while its server was out of sight"
        assert [one.state for one in await store.attempts(run.id)] == [RunState.CRASHED]
        assert (await store.transitions(run.id))[-1].by == "ben"
        with pytest.raises(InvalidTransition):
            await end(store, run)

    async def test_a_run_that_was_to_end_and_is_lost_then_can_be_given_up(self, store: Store) -> None:
        run = await run_in(await serve(store, registration(), lease=SECOND), RunState.RUNNING)
        await store.ask_cancel(run.id, ANNA, now=NOW)
        await store.reap(now=NOW + MINUTE)
        assert (await store.ask_cancel(run.id, BEN, now=NOW + MINUTE)).state is RunState.CRASHED

    async def test_each_phase_keeps_its_first_instant(self, store: Store) -> None:
        server = await serve(store, registration())
        run = await run_in(server, RunState.RUNNING)
        assert await store.note_cancel(run.id, run.epoch, CancelPhase.TOLD, at=NOW) == run
        await store.ask_cancel(run.id, ANNA, now=NOW + SECOND)
        for at in (NOW + MINUTE, NOW + HOUR):
            await store.note_cancel(run.id, run.epoch, CancelPhase.TOLD, at=at)
            await store.note_cancel(run.id, run.epoch, CancelPhase.SIGNALLED, at=at + SECOND)
            noted = await store.note_cancel(run.id, run.epoch, CancelPhase.KILLED, at=at + MINUTE)
        assert noted.cancellation == dataclasses.replace(
            ASKED,
            told_at=NOW + MINUTE,
            signalled_at=NOW + MINUTE + SECOND,
            killed_at=NOW + 2 * MINUTE,
        )
        assert await store.to_cancel(server.id) == [noted]

    async def test_what_is_noted_too_late_or_under_another_claim_changes_nothing(self, store: Store) -> None:
        run = await run_in(await serve(store, registration()), RunState.RUNNING)
        await store.ask_cancel(run.id, ANNA, now=NOW)
        with pytest.raises(Superseded):
            await store.note_cancel(run.id, run.epoch - 1, CancelPhase.TOLD, at=NOW)
        ended = await end(store, run)
        assert await store.note_cancel(run.id, run.epoch, CancelPhase.TOLD, at=NOW) == ended

    async def test_a_run_that_is_not_there_is_not_found(self, store: Store) -> None:
        with pytest.raises(RunNotFound):
            await store.ask_cancel(uuid4(), ANNA, now=NOW)
        with pytest.raises(RunNotFound):
            await store.note_cancel(uuid4(), 1, CancelPhase.TOLD, at=NOW)

    async def test_a_run_that_finishes_first_was_not_cancelled(self, store: Store) -> None:
        run = await run_in(await serve(store, registration()), RunState.RUNNING)
        await store.ask_cancel(run.id, ANNA, now=NOW)
        completed = await end(store, run)
        assert completed.state is RunState.COMPLETED
        with pytest.raises(InvalidTransition):
            await end(store, run, Outcome(state=RunState.CANCELLED))
        assert await store.run(str(run.id)) == completed

    async def test_of_a_claim_and_a_cancellation_at_once_one_is_first(self, store: Store) -> None:
        server = await serve(store, registration())
        claimed: list[Run] = []
        asked = [await server.ask() for _ in range(10)]

        async def claim() -> None:
            for _ in asked:
                claimed.extend(await server.claim(limit=1))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(claim)
            for run in reversed(asked):
                tasks.start_soon(partial(store.ask_cancel, run.id, ANNA, now=NOW))
        found = await store.runs()
        assert {run.id for run in found if run.state is RunState.CLAIMED} == {run.id for run in claimed}
        assert {run.state for run in found} <= {RunState.CLAIMED, RunState.CANCELLED}
        assert all(run.cancellation for run in found)
        assert {run.id for run in await store.to_cancel(server.id)} == {run.id for run in claimed}
