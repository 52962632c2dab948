"""What every store promises about the attempts of a run; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

import dataclasses
from uuid import uuid4

import pytest

from flowsource.deployments import FlowFacts
from flowsource.errors import InvalidTransition, RunNotFound, Superseded
from flowsource.runs import Attempt, Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import WORK, Claimed, LogLine, Outcome
from tests.store.words import (
    ANNA,
    BOOM,
    COMPLETED,
    FIRST,
    GENEROUS,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    SECOND_REVISION,
    end,
    fail,
    lines,
    promote,
    registration,
    release,
    serve,
    start,
    way_of,
)

WAITED, CLAIMED, RUNNING, RETRYING, FAILED = (
    RunState.SCHEDULED,
    RunState.CLAIMED,
    RunState.RUNNING,
    RunState.RETRYING,
    RunState.FAILED,
)


class AttemptsContract:
    async def test_an_attempt_that_failed_is_followed_by_another_at_its_time(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        waiting = await fail(store, await server.start_one(), retry_at=NOW + MINUTE)
        assert (waiting.state, waiting.due_at, waiting.attempt, waiting.ended_at) == (RETRYING, NOW + MINUTE, 1, None)
        assert waiting.failure == BOOM
        assert await store.claim(server.id, [server.deployment.id], limit=1, now=NOW) == Claimed([], NOW + MINUTE)
        again = await server.claim_one(now=NOW + MINUTE)
        assert (again.attempt, again.epoch, again.started_at) == (2, 2, None)

    async def test_an_attempt_may_be_told_to_have_begun_when_it_is_told_to_have_ended(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        claimed, this = await server.claim_one(), uuid4()

        async def tell() -> Run:
            at = NOW + MINUTE
            return await store.finish(
                claimed.id, claimed.epoch, COMPLETED, at=at, transition_id=this, began_at=NOW + SECOND
            )

        ended = await tell()
        assert (ended.state, ended.started_at, ended.ended_at) == (RunState.COMPLETED, NOW + SECOND, NOW + MINUTE)
        assert await tell() == ended, "told twice, it is the same step"
        steps = [(step.state, step.at) for step in await store.transitions(ended.id)]
        assert steps[-2:] == [(RunState.RUNNING, NOW + SECOND), (RunState.COMPLETED, NOW + MINUTE)]
        assert len(steps) == 4
        [attempt] = await store.attempts(ended.id)
        assert (attempt.started_at, attempt.ended_at) == (NOW + SECOND, NOW + MINUTE)

    async def test_what_is_told_to_have_begun_twice_began_when_it_was_told_first(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        ended = await store.finish(
            run.id, run.epoch, COMPLETED, at=NOW + MINUTE, transition_id=uuid4(), began_at=NOW + SECOND
        )
        assert (ended.state, ended.started_at) == (RunState.COMPLETED, NOW)

    async def test_a_further_attempt_is_made_at_the_revision_of_the_first(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        await fail(store, await server.start_one(), retry_at=NOW)
        await promote(store, server.deployment, SECOND_REVISION, FlowFacts(name="etl"))
        assert (await server.claim_one()).revision == FIRST

    async def test_no_place_is_held_between_two_attempts(self, store: Store) -> None:
        server = await serve(store, registration(limit=1, global_limit=1))
        await server.ask()
        await fail(store, await server.start_one(), retry_at=NOW + HOUR)
        other = await server.ask()
        assert (await server.claim_one()).id == other.id

    async def test_another_attempt_is_heard_as_work(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        async with store.changes(WORK) as changes:
            await fail(store, run, retry_at=NOW + HOUR)
            assert await changes.wait(GENEROUS)

    async def test_a_run_that_is_to_end_gets_no_further_attempt(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        await store.ask_cancel(run.id, ANNA, now=NOW)
        this = uuid4()
        ended = await fail(store, run, retry_at=NOW, transition_id=this)
        assert (ended.state, ended.ended_at, ended.failure) == (RunState.CANCELLED, NOW, BOOM)
        assert await fail(store, run, retry_at=NOW, transition_id=this) == ended
        assert (await store.transitions(run.id))[-1].by == "anna"
        assert await server.claim() == []

    async def test_the_same_report_again_gives_the_same_answer(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run, this = await server.start_one(), uuid4()
        waiting = await fail(store, run, retry_at=NOW, transition_id=this)
        assert await fail(store, run, retry_at=NOW, transition_id=this) == waiting
        again = await server.claim_one()
        # The run has moved on: the report was heard, and no other claim is disturbed by it.
        assert await fail(store, run, retry_at=NOW, transition_id=this) == again
        with pytest.raises(Superseded):
            await fail(store, run, retry_at=NOW)
        assert await way_of(store, run) == [WAITED, CLAIMED, RUNNING, RETRYING, CLAIMED]

    async def test_the_same_report_is_known_again_after_somebody_else_ended_the_run(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run, this = await server.start_one(), uuid4()
        await fail(store, run, retry_at=NOW, transition_id=this)
        cancelled = await store.ask_cancel(run.id, ANNA, now=NOW)
        assert await fail(store, run, retry_at=NOW, transition_id=this) == cancelled

    async def test_a_run_that_waits_for_another_attempt_is_cancelled_at_once(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        await fail(store, await server.start_one(), retry_at=NOW)
        cancelled = await end(store, (await store.runs())[0], Outcome(state=RunState.CANCELLED))
        assert cancelled.state is RunState.CANCELLED
        assert [one.state for one in await store.attempts(cancelled.id)] == [FAILED]
        assert await server.claim() == []

    async def test_a_further_attempt_that_is_given_back_waits_as_it_did(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        waiting = await fail(store, await server.start_one(), retry_at=NOW)
        await promote(store, server.deployment, SECOND_REVISION, FlowFacts(name="etl"))
        claimed, this = await server.claim_one(), uuid4()
        released = await release(store, claimed, this)
        assert released == dataclasses.replace(waiting, epoch=2, runner_id=None, claimed_at=None, started_at=None)
        assert await release(store, claimed, this) == released
        again = await server.claim_one()
        assert (again.attempt, again.epoch, again.revision) == (2, 3, FIRST)

    async def test_a_run_that_is_to_end_is_cancelled_when_it_is_given_back(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        claimed, this = await server.claim_one(), uuid4()
        await store.ask_cancel(claimed.id, ANNA, now=NOW)
        ended = await release(store, claimed, this)
        assert ended.state is RunState.CANCELLED
        assert ended.failure is not None
        assert ended.failure.message == "cancelled by anna before it began: wrong day"
        assert await release(store, claimed, this) == ended
        assert await server.claim() == []

    async def test_what_has_begun_is_not_given_back(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        with pytest.raises(InvalidTransition):
            await release(store, run)
        assert await store.run(str(run.id)) == run

    async def test_attempts_are_kept_with_how_they_ended_and_the_one_that_goes_on(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        assert await store.attempts(asked.id) == []
        await fail(store, await server.start_one(), retry_at=NOW + SECOND)
        first = Attempt(
            number=1,
            epoch=1,
            runner_id=server.id,
            claimed_at=NOW,
            started_at=NOW,
            ended_at=NOW,
            state=FAILED,
            failure=BOOM,
        )
        assert await store.attempts(asked.id) == [first]
        claimed = await server.claim_one(NOW + SECOND)
        second = Attempt(number=2, epoch=2, runner_id=server.id, claimed_at=NOW + SECOND, state=CLAIMED)
        assert await store.attempts(asked.id) == [first, second]
        await start(store, claimed, now=NOW + MINUTE)
        await end(store, claimed, now=NOW + HOUR)
        second = dataclasses.replace(second, started_at=NOW + MINUTE, ended_at=NOW + HOUR, state=RunState.COMPLETED)
        assert await store.attempts(asked.id) == [first, second]

    async def test_each_step_is_kept_with_its_time_and_its_reason(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        await release(store, await server.claim_one())
        await fail(store, await server.start_one(NOW + SECOND), retry_at=NOW + MINUTE)
        await end(store, await server.start_one(NOW + MINUTE))
        steps = await store.transitions(asked.id)
        assert [(step.state, step.at, step.attempt, step.reason, step.by) for step in steps] == [
            (WAITED, NOW, 0, None, None),
            (CLAIMED, NOW, 1, None, None),
            (WAITED, NOW, 0, "its server gave it back before it began", None),
            (CLAIMED, NOW + SECOND, 1, None, None),
            (RUNNING, NOW + SECOND, 1, None, None),
            (RETRYING, NOW, 1, "boom", None),
            (CLAIMED, NOW + MINUTE, 2, None, None),
            (RUNNING, NOW + MINUTE, 2, None, None),
            (RunState.COMPLETED, NOW, 2, None, None),
        ]
        assert [step.seq for step in steps] == sorted({step.seq for step in steps})

    async def test_a_report_that_is_refused_or_repeated_is_no_step(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run, this = await server.start_one(), uuid4()
        for _ in range(2):
            await end(store, run, COMPLETED, this)
        with pytest.raises(InvalidTransition):
            await end(store, run)
        assert await way_of(store, run) == [WAITED, CLAIMED, RUNNING, RunState.COMPLETED]
        assert len(await store.attempts(run.id)) == 1

    async def test_the_life_of_a_run_that_is_not_there_is_not_found(self, store: Store) -> None:
        for ask in (store.attempts, store.transitions):
            with pytest.raises(RunNotFound):
                await ask(uuid4())

    async def test_a_run_gets_the_name_that_its_flow_says(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        named = await store.rename(run.id, run.epoch, "day 5")
        assert named == dataclasses.replace(run, name="day 5")
        assert await store.run("day 5") == named
        with pytest.raises(Superseded):
            await store.rename(run.id, run.epoch - 1, "other")
        with pytest.raises(RunNotFound):
            await store.rename(uuid4(), 1, "other")

    async def test_the_lines_of_a_later_attempt_come_after_all_of_an_earlier(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, lines(1, 2, attempt=2))
        await store.append_lines(run.id, lines(1, 2, 3))
        assert await store.lines(run.id) == [*lines(1, 2, 3), *lines(1, 2, attempt=2)]
        assert await store.lines(run.id, after=(1, 2)) == [*lines(3), *lines(1, 2, attempt=2)]
        assert await store.lines(run.id, after=(2, 1)) == lines(2, attempt=2)
        assert await store.lines(run.id, after=(1, 1), limit=3) == [*lines(2, 3), *lines(1, attempt=2)]

    async def test_what_a_record_carries_beside_its_text_comes_back(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        line = LogLine(seq=1, at=NOW, level=20, text="loaded", extra={"rows": 5, "of": ["a", None]})
        await store.append_lines(run.id, [line])
        assert await store.lines(run.id) == [line]
