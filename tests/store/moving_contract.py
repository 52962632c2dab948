"""What every store promises about how a run moves; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from uuid import uuid4

import pytest

from flowsource.errors import InvalidTransition, RunNotFound, Superseded
from flowsource.runs import Failure, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import Outcome
from tests.store.words import COMPLETED, NOW, SECOND, end, registration, serve


class Moving:
    async def test_a_run_goes_its_way_to_the_end(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        running = await server.start_one()
        assert (running.state, running.started_at) == (RunState.RUNNING, NOW)
        outcome = Outcome(state=RunState.COMPLETED, has_result=True, result={"rows": [1, 2]})
        ended = await end(store, running, outcome)
        assert (ended.state, ended.ended_at, ended.result) == (RunState.COMPLETED, NOW, {"rows": [1, 2]})
        assert await store.run(str(ended.id)) == ended

    async def test_a_result_of_nothing_is_told_from_no_result(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        ended = await end(store, await server.start_one(), Outcome(state=RunState.COMPLETED, has_result=True))
        assert (ended.has_result, ended.result) == (True, None)

    async def test_a_failure_is_kept_as_it_was_told(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        failure = Failure(kind="ValueError", message="lone surrogate \udc80", traceback="Traceback ...")
        ended = await end(store, await server.start_one(), Outcome(state=RunState.FAILED, failure=failure))
        assert (await store.run(str(ended.id))).failure == failure

    async def test_the_same_transition_again_gives_the_same_answer(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        claimed = await server.claim_one()
        this = uuid4()
        started = await store.start(claimed.id, claimed.epoch, at=NOW, transition_id=this)
        assert await store.start(claimed.id, claimed.epoch, at=NOW + SECOND, transition_id=this) == started
        this = uuid4()
        ended = await end(store, started, COMPLETED, this)
        assert await end(store, started, COMPLETED, this) == ended

    async def test_a_final_state_stays_final(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        running = await server.start_one()
        ended = await end(store, running)
        for state in (state for state in RunState if state.is_final):
            with pytest.raises(InvalidTransition):
                await end(store, running, Outcome(state=state))
        assert await store.run(str(running.id)) == ended

    async def test_an_older_claim_is_fenced_off(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        older = await server.claim_one()
        await store.release(older.id, older.epoch, at=NOW, transition_id=uuid4())
        newer = await server.claim_one()
        for attempt in (
            store.start(older.id, older.epoch, at=NOW, transition_id=uuid4()),
            store.release(older.id, older.epoch, at=NOW, transition_id=uuid4()),
            end(store, older),
        ):
            with pytest.raises(Superseded):
                await attempt
        assert await store.run(str(newer.id)) == newer

    async def test_a_run_that_waits_is_cancelled_by_the_epoch_it_was_seen_with(self, store: Store) -> None:
        server = await serve(store, registration())
        waiting = await server.ask()
        cancelled = await end(store, waiting, Outcome(state=RunState.CANCELLED))
        assert cancelled.state is RunState.CANCELLED
        assert await server.claim() == []

    async def test_a_cancellation_that_comes_after_the_claim_is_told_so(self, store: Store) -> None:
        server = await serve(store, registration())
        waiting = await server.ask()
        await server.claim_one()
        with pytest.raises(Superseded):
            await end(store, waiting, Outcome(state=RunState.CANCELLED))

    async def test_a_run_that_is_not_there_cannot_move(self, store: Store) -> None:
        with pytest.raises(RunNotFound):
            await store.start(uuid4(), 1, at=NOW, transition_id=uuid4())
