"""What every store promises. A store's tests subclass this and supply the fixture `store`."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any
from uuid import uuid4

import anyio
import pytest

from flowsource.deployments import FlowFacts, Loaded, Rejection
from flowsource.errors import (
    DeploymentNotFound,
    InvalidDeployment,
    InvalidTransition,
    NotFound,
    RunNotFound,
    Superseded,
)
from flowsource.promotions import Decision, Passed
from flowsource.revisions import Revision
from flowsource.runs import Failure, RunState
from flowsource.schedules import Cron, Interval, content_key
from flowsource.store.protocol import DEPLOYMENTS, WORK, LogLine, NewRun, Outcome, Store, about
from tests.store.attempts_contract import AttemptsContract
from tests.store.cancelling_contract import CancellingContract
from tests.store.loss_contract import LossContract
from tests.store.nesting_contract import NestingContract
from tests.store.promoting_contract import PromotingContract
from tests.store.turns_contract import TurnsContract
from tests.store.words import (
    COMPLETED,
    FIRST,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    SECOND_REVISION,
    end,
    lines,
    promote,
    registration,
    reject,
    serve,
)

HOURLY = Interval(HOUR, NOW)
DAILY = Cron("0 2 * * *", "Europe/Berlin")
GENEROUS = timedelta(seconds=20)


class Registering:
    async def test_a_registered_deployment_is_as_it_was_declared(self, store: Store) -> None:
        new = registration(
            parameters={"day": "yesterday"},
            schedules=(DAILY, HOURLY),
            tags=("etl", "night"),
            description="loads it",
            version="7",
            limit=2,
        )
        server = await serve(store, new)
        assert server.deployment.declared == new.declared
        assert server.deployment.active == FIRST
        assert server.deployment.facts == new.facts
        assert await store.deployments() == [server.deployment]

    async def test_registering_the_same_again_changes_only_when_it_was_updated(self, store: Store) -> None:
        new = registration(schedules=(HOURLY, DAILY))
        before = await serve(store, new)
        after = await serve(store, new, now=NOW + SECOND)
        assert after.deployment == dataclasses.replace(before.deployment, updated_at=NOW + SECOND)

    async def test_what_the_code_says_follows_the_code(self, store: Store) -> None:
        await serve(store, registration(parameters={"a": 1}, tags=("old",), limit=1))
        server = await serve(store, registration(parameters={"b": 2}, active=SECOND_REVISION))
        declared = server.deployment.declared
        assert (declared.parameters, declared.tags, declared.limit) == ({"b": 2}, (), None)
        assert server.deployment.active == SECOND_REVISION

    async def test_a_server_whose_remote_is_away_brings_no_older_revision_back(self, store: Store) -> None:
        server = await serve(store, registration())
        facts = FlowFacts(name="etl", description="new")
        await promote(store, server.deployment, SECOND_REVISION, facts, now=NOW)
        rejected = await reject(
            store,
            server.deployment,
            Rejection(revision=Revision(id="3" * 40), kind="import", message="no", details="", at=NOW),
        )
        stale = await serve(store, registration(tags=("new",), is_stale=True))
        assert stale.deployment == dataclasses.replace(
            rejected, declared=dataclasses.replace(rejected.declared, tags=("new",)), updated_at=NOW
        )
        assert (await serve(store, registration())).deployment.active == FIRST

    async def test_a_server_whose_remote_is_away_registers_what_was_not_there(self, store: Store) -> None:
        assert (await serve(store, registration(is_stale=True))).deployment.active == FIRST

    @pytest.mark.parametrize("moved", [{"source_key": "other"}, {"entrypoint": "other.py:etl"}])
    async def test_a_deployment_that_moved_takes_a_stale_revision_from_its_new_place(
        self, store: Store, moved: dict[str, Any]
    ) -> None:
        await serve(store, registration(active=SECOND_REVISION))
        assert (await serve(store, registration(is_stale=True, **moved))).deployment.active == FIRST

    async def test_a_pause_survives_a_restart(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        await store.set_paused(server.deployment.id, True, now=NOW)
        again = await serve(store, registration(schedules=(HOURLY,)))
        assert again.deployment.paused
        [schedule] = await store.schedules([again.deployment.id])
        assert schedule.is_held

    async def test_a_declaration_that_says_paused_outright_is_obeyed(self, store: Store) -> None:
        server = await serve(store, registration(paused=True))
        assert server.deployment.paused
        again = await serve(store, registration(paused=False))
        assert not again.deployment.paused

    async def test_a_pause_that_was_only_declared_goes_with_its_declaration(self, store: Store) -> None:
        await serve(store, registration(paused=True))
        assert not (await serve(store, registration())).deployment.paused

    async def test_what_a_pause_held_back_is_not_made_up_for(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        await store.set_paused(server.deployment.id, True, now=NOW + HOUR)
        await store.set_paused(server.deployment.id, False, now=NOW + 5 * HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.cursor, schedule.is_held) == (NOW + 5 * HOUR, False)

    async def test_an_interval_keeps_its_anchor(self, store: Store) -> None:
        await serve(store, registration(schedules=(Interval(HOUR, NOW),)))
        server = await serve(store, registration(schedules=(Interval(HOUR, NOW + 7 * MINUTE),)))
        [schedule] = await store.schedules([server.deployment.id])
        assert schedule.schedule == Interval(HOUR, NOW)
        assert server.deployment.declared.schedules == (Interval(HOUR, NOW),)

    async def test_a_schedule_that_is_no_longer_declared_is_gone(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY, DAILY)))
        server = await serve(store, registration(schedules=(DAILY,)))
        assert [one.schedule for one in await store.schedules([server.deployment.id])] == [DAILY]

    async def test_a_new_schedule_begins_now_beside_one_that_goes_on(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY,)), lease=HOUR)
        server = await serve(store, registration(schedules=(HOURLY, DAILY)), now=NOW + MINUTE)
        assert [one.cursor for one in await store.schedules([server.deployment.id])] == [NOW, NOW + MINUTE]

    async def test_two_of_one_name_are_refused_and_neither_is_kept(self, store: Store) -> None:
        with pytest.raises(InvalidDeployment, match="etl/nightly"):
            await serve(store, registration(), registration())
        assert await store.deployments() == []

    async def test_a_deployment_is_found_by_its_names(self, store: Store) -> None:
        server = await serve(store, registration("nightly"), registration("weekly"))
        nightly, weekly = server.deployments
        assert await store.deployment("etl/nightly") == nightly
        assert await store.deployment("weekly") == weekly

    async def test_a_name_that_is_not_unique_lists_the_full_ones(self, store: Store) -> None:
        await serve(store, registration(flow="etl"), registration(flow="report"))
        with pytest.raises(DeploymentNotFound) as caught:
            await store.deployment("nightly")
        assert caught.value.near == ("etl/nightly", "report/nightly")

    async def test_an_unknown_name_lists_those_near_it(self, store: Store) -> None:
        await serve(store, registration("nightly"))
        for wrong in ("nigthly", "etl/nigthly"):
            with pytest.raises(DeploymentNotFound) as caught:
                await store.deployment(wrong)
            assert caught.value.near == ("etl/nightly",)

    async def test_a_promotion_brings_what_the_code_says_and_drops_the_rejection(self, store: Store) -> None:
        server = await serve(store, registration())
        rejection = Rejection(
            revision=SECOND_REVISION, kind="import", message="no module named x", details="traceback", at=NOW
        )
        rejected = await reject(store, server.deployment, rejection)
        assert (rejected.rejected, rejected.active) == (rejection, FIRST)
        facts = FlowFacts(name="etl", description="new", parameter_schema={"type": "object"})
        promoted = await promote(store, server.deployment, SECOND_REVISION, facts, now=NOW + SECOND)
        assert (promoted.active, promoted.facts, promoted.rejected) == (SECOND_REVISION, facts, None)
        assert await store.deployment("nightly") == promoted

    async def test_what_is_not_there_is_not_promoted(self, store: Store) -> None:
        decision = Decision(outcome=Passed(loaded=Loaded(FIRST, FlowFacts(name="etl"))), epoch=0)
        with pytest.raises(DeploymentNotFound):
            await store.decide(uuid4(), decision, now=NOW)


class Presence:
    async def test_a_server_that_takes_leave_stops_what_it_served(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        [stopped] = await store.retire(server.id, now=NOW)
        assert stopped.stopped
        [schedule] = await store.schedules([stopped.id])
        assert schedule.is_held

    async def test_the_next_server_takes_up_what_was_stopped_from_now_on(self, store: Store) -> None:
        await store.retire((await serve(store, registration(schedules=(HOURLY,)))).id, now=NOW)
        server = await serve(store, registration(schedules=(HOURLY,)), now=NOW + 5 * HOUR)
        assert not server.deployment.stopped
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.cursor, schedule.is_held) == (NOW + 5 * HOUR, False)

    async def test_without_pause_on_shutdown_nothing_stops_and_no_instant_is_lost(self, store: Store) -> None:
        new = registration(schedules=(HOURLY,), pause_on_shutdown=False)
        assert await store.retire((await serve(store, new)).id, now=NOW) == []
        server = await serve(store, new, now=NOW + 5 * HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert (schedule.cursor, schedule.is_held) == (NOW, False)

    async def test_what_another_live_server_serves_goes_on(self, store: Store) -> None:
        first = await serve(store, registration())
        await serve(store, registration())
        assert await store.retire(first.id, now=NOW) == []

    async def test_what_was_stopped_while_its_server_slept_goes_on_when_that_one_is_back(self, store: Store) -> None:
        slept = await serve(store, registration(schedules=(HOURLY,)), lease=SECOND)
        other = await serve(store, registration(schedules=(HOURLY,)), lease=SECOND)
        [stopped] = await store.retire(other.id, now=NOW + MINUTE)
        async with store.changes(DEPLOYMENTS) as changes:
            await store.renew(slept.id, lease_until=NOW + HOUR)
            assert await changes.wait(GENEROUS)
        [schedule] = await store.schedules([stopped.id])
        assert (schedule.cursor, schedule.is_held) == (NOW, False)

    async def test_a_server_that_is_back_lifts_no_pause(self, store: Store) -> None:
        server = await serve(store, registration())
        await store.set_paused(server.deployment.id, True, now=NOW)
        await store.renew(server.id, lease_until=NOW + HOUR)
        assert (await store.deployment("nightly")).paused

    async def test_a_server_out_of_sight_keeps_nothing_from_stopping(self, store: Store) -> None:
        first = await serve(store, registration(), lease=HOUR)
        await serve(store, registration(), lease=SECOND)
        assert [one.full_name for one in await store.retire(first.id, now=NOW + MINUTE)] == ["etl/nightly"]

    async def test_a_killed_server_is_as_one_that_took_leave_once_its_lease_is_over(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY,)), lease=MINUTE)
        server = await serve(store, registration(schedules=(HOURLY,)), now=NOW + 5 * HOUR)
        [schedule] = await store.schedules([server.deployment.id])
        assert schedule.cursor == NOW + 5 * HOUR

    async def test_a_killed_server_that_is_soon_back_has_missed_nothing(self, store: Store) -> None:
        await serve(store, registration(schedules=(HOURLY,)), lease=MINUTE)
        server = await serve(store, registration(schedules=(HOURLY,)), now=NOW + SECOND)
        [schedule] = await store.schedules([server.deployment.id])
        assert schedule.cursor == NOW

    async def test_the_runs_of_a_server_out_of_sight_are_lost_and_those_of_a_live_one_go_on(self, store: Store) -> None:
        lost = await serve(store, registration(schedules=(HOURLY,)), lease=SECOND)
        live = await serve(store, registration("weekly"), lease=HOUR)
        await lost.ask()
        await lost.ask()
        await live.ask()
        started = await lost.start_one()
        claimed = await lost.claim_one()
        goes_on = await live.start_one()
        lost_runs = await store.reap(now=NOW + MINUTE)
        assert {run.id for run in lost_runs} == {started.id, claimed.id}
        assert {run.state for run in lost_runs} == {RunState.LOST}
        assert all(run.changed_at == NOW + MINUTE and run.failure for run in lost_runs)
        assert (await store.run(str(goes_on.id))).state is RunState.RUNNING
        assert (await store.deployment("nightly")).stopped

    async def test_nothing_is_reaped_before_a_lease_is_over(self, store: Store) -> None:
        server = await serve(store, registration(), lease=SECOND)
        await server.ask()
        await server.start_one()
        await store.renew(server.id, lease_until=NOW + HOUR)
        assert await store.reap(now=NOW + MINUTE) == []

    async def test_a_run_that_a_retired_server_left_behind_crashes(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        await store.retire(server.id, now=NOW)
        assert [crashed.id for crashed in await store.reap(now=NOW)] == [run.id]

    async def test_a_server_that_was_given_up_is_told_so(self, store: Store) -> None:
        server = await serve(store, registration(), lease=SECOND)
        await store.reap(now=NOW + MINUTE)
        with pytest.raises(NotFound, match="register again"):
            await store.renew(server.id, lease_until=NOW + HOUR)
        with pytest.raises(NotFound, match="register again"):
            await server.claim()


class Creating:
    async def test_a_run_has_the_parameters_given_over_those_of_its_deployment(self, store: Store) -> None:
        server = await serve(store, registration(parameters={"a": 1, "b": 1}, tags=("etl",)))
        run = await server.ask(parameters={"b": 2, "c": None}, tags=("mine", "etl"), name="by-hand")
        assert run.parameters == {"a": 1, "b": 2, "c": None}
        assert (run.tags, run.name, run.deployment) == (("etl", "mine"), "by-hand", "etl/nightly")
        assert await store.run(str(run.id)) == run

    async def test_a_run_without_a_name_gets_one_that_can_be_said(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        assert len(run.name.split("-")) >= 2

    async def test_the_second_of_one_idempotency_key_is_the_first(self, store: Store) -> None:
        server = await serve(store, registration(), registration("weekly"))
        first = await server.ask(idempotency_key="order-1")
        assert await server.ask(idempotency_key="order-1", parameters={"other": True}) == first
        assert await server.ask(idempotency_key="order-2") != first
        of_another = NewRun(deployment_id=server.deployments[1].id, scheduled_at=NOW, idempotency_key="order-1")
        assert (await store.create_run(of_another, now=NOW)).id != first.id

    async def test_a_run_of_an_unknown_deployment_is_refused(self, store: Store) -> None:
        with pytest.raises(DeploymentNotFound):
            await store.create_run(NewRun(deployment_id=uuid4(), scheduled_at=NOW), now=NOW)

    async def test_scheduled_runs_are_created_once_for_each_instant(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        key, deployment_id = content_key(HOURLY), server.deployment.id
        instants = [NOW, NOW + HOUR]
        created = await store.create_scheduled(deployment_id, key, instants, cursor=NOW + HOUR, now=NOW)
        assert [(run.scheduled_at, run.schedule) for run in created] == [(NOW, key), (NOW + HOUR, key)]
        again = await store.create_scheduled(
            deployment_id, key, [NOW + HOUR, NOW + 2 * HOUR], cursor=NOW + 2 * HOUR, now=NOW
        )
        assert [run.scheduled_at for run in again] == [NOW + 2 * HOUR]

    async def test_a_cursor_never_moves_back(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        key, deployment_id = content_key(HOURLY), server.deployment.id
        await store.create_scheduled(deployment_id, key, [], cursor=NOW + 3 * HOUR, now=NOW)
        await store.create_scheduled(deployment_id, key, [], cursor=NOW + HOUR, now=NOW)
        [schedule] = await store.schedules([deployment_id])
        assert schedule.cursor == NOW + 3 * HOUR


class Claiming:
    async def test_a_claim_takes_what_is_due_oldest_first(self, store: Store) -> None:
        server = await serve(store, registration(), registration("weekly"))
        weekly = server.deployments[1].id
        late = await server.ask(NOW - SECOND)
        later = await store.create_run(NewRun(deployment_id=weekly, scheduled_at=NOW - MINUTE), now=NOW)
        latest = await server.ask(NOW - HOUR)
        await server.ask(NOW + SECOND)
        assert [run.id for run in await server.claim(limit=2)] == [latest.id, later.id]
        assert [run.id for run in await server.claim()] == [late.id]
        assert await server.claim() == []

    async def test_a_claim_fixes_who_runs_what(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        await promote(store, server.deployment, SECOND_REVISION, FlowFacts(name="etl"), now=NOW)
        claimed = await server.claim_one()
        await promote(store, server.deployment, FIRST, FlowFacts(name="etl"), now=NOW)
        assert claimed == dataclasses.replace(
            asked,
            state=RunState.CLAIMED,
            attempt=1,
            epoch=1,
            runner_id=server.id,
            revision=SECOND_REVISION,
            claimed_at=NOW,
            changed_at=NOW,
        )
        assert await store.run(str(claimed.id)) == claimed

    async def test_a_server_claims_only_for_its_own_deployments(self, store: Store) -> None:
        server, other = await serve(store, registration()), await serve(store, registration("weekly"))
        await server.ask()
        assert await other.claim() == []

    async def test_no_deployment_gets_more_than_its_limit(self, store: Store) -> None:
        server = await serve(store, registration(limit=2))
        for _ in range(5):
            await server.ask()
        first, _second = await server.claim()
        assert await server.claim() == []
        await store.start(first.id, first.epoch, at=NOW, transition_id=uuid4())
        assert await server.claim() == []
        await end(store, first)
        assert len(await server.claim()) == 1

    async def test_a_deployment_at_its_limit_does_not_hold_up_another(self, store: Store) -> None:
        server = await serve(store, registration(limit=1), registration("weekly"))
        for _ in range(3):
            await server.ask(NOW - HOUR)
        free = NewRun(deployment_id=server.deployments[1].id, scheduled_at=NOW)
        runs = [await store.create_run(free, now=NOW) for _ in range(2)]
        claimed = await server.claim(limit=3)
        assert len(claimed) == 3
        assert {run.id for run in runs} < {run.id for run in claimed}

    async def test_a_released_run_is_as_if_it_had_not_been_claimed(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        claimed = await server.claim_one()
        released = await store.release(claimed.id, claimed.epoch, at=NOW, transition_id=uuid4())
        assert released == dataclasses.replace(asked, epoch=1)
        assert (await server.claim_one()).epoch == 2


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


class Finding:
    async def test_a_run_is_found_by_id_by_the_beginning_of_its_id_and_by_name(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask(name="brave-otter")
        for text in (str(run.id), run.id.hex.upper(), str(run.id)[:4], str(run.id)[:14], "brave-otter"):
            assert await store.run(text) == run

    async def test_the_newest_of_a_name_is_meant(self, store: Store) -> None:
        server = await serve(store, registration())
        new = NewRun(deployment_id=server.deployment.id, scheduled_at=NOW, name="brave-otter")
        await store.create_run(new, now=NOW)
        newer = await store.create_run(new, now=NOW + SECOND)
        assert await store.run("brave-otter") == newer

    async def test_what_begins_more_than_one_id_is_refused(self, store: Store) -> None:
        server = await serve(store, registration())
        beginning = str((await server.ask()).id)[:4]
        await server.ask()
        with pytest.raises(RunNotFound, match="more than one"):
            await store.run(beginning)

    @pytest.mark.parametrize("text", ["", "abc", "brave-otter", "ffff", "%", "\udc80"])
    async def test_what_is_not_there_is_not_found(self, store: Store, text: str) -> None:
        await (await serve(store, registration())).ask(name="calm-heron")
        with pytest.raises(RunNotFound):
            await store.run(text)

    async def test_runs_are_listed_newest_first(self, store: Store) -> None:
        server = await serve(store, registration(), registration("weekly"))
        nightly, weekly = (one.id for one in server.deployments)
        created = [
            await store.create_run(
                NewRun(deployment_id=weekly if number % 2 else nightly, scheduled_at=NOW), now=NOW + number * SECOND
            )
            for number in range(6)
        ]
        assert await store.runs() == created[::-1]
        assert await store.runs(limit=2) == created[:3:-1]
        assert await store.runs(deployment_id=nightly) == created[4::-2]
        cancelled = await end(store, created[3], Outcome(state=RunState.CANCELLED))
        assert await store.runs(states=[RunState.CANCELLED, RunState.FAILED]) == [cancelled]


class Logging:
    async def test_lines_come_back_in_order_and_each_once(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, lines(1, 2))
        await store.append_lines(run.id, lines(5, 2, 3))
        assert await store.lines(run.id) == lines(1, 2, 3, 5)
        assert await store.lines(run.id, after=(1, 2), limit=1) == lines(3)
        assert await store.lines(run.id, after=(1, 5)) == []

    async def test_a_line_that_is_there_is_left_as_it_is(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, lines(1))
        await store.append_lines(run.id, [LogLine(seq=1, at=NOW, level=40, text="other")])
        assert await store.lines(run.id) == lines(1)

    @pytest.mark.parametrize("text", ["", "a\x00b", "\x1b[31mred", "naïve ☃", "x" * 65536])
    async def test_any_text_comes_back_as_it_was(self, store: Store, text: str) -> None:
        run = await (await serve(store, registration())).ask()
        line = LogLine(seq=1, at=NOW, level=20, text=text, logger="my.logger")
        await store.append_lines(run.id, [line])
        assert await store.lines(run.id) == [line]

    async def test_what_cannot_be_encoded_is_made_visible(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, [LogLine(seq=1, at=NOW, level=20, text="\udc80")])
        [line] = await store.lines(run.id)
        assert line.text == "\\udc80"

    async def test_the_last_lines_come_with_the_end(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        await store.append_lines(run.id, lines(1))
        this = uuid4()
        for _ in range(2):
            await store.finish(run.id, run.epoch, COMPLETED, at=NOW, transition_id=this, lines=lines(1, 2))
        assert await store.lines(run.id) == lines(1, 2)

    async def test_an_end_that_is_refused_keeps_no_lines(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        with pytest.raises(Superseded):
            await store.finish(run.id, run.epoch + 1, COMPLETED, at=NOW, transition_id=uuid4(), lines=lines(1))
        assert await store.lines(run.id) == []

    async def test_lines_of_a_run_that_is_not_there_are_refused(self, store: Store) -> None:
        with pytest.raises(RunNotFound):
            await store.append_lines(uuid4(), lines(1))


class Listening:
    async def test_a_new_run_is_heard_as_work(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(WORK) as changes:
            await server.ask()
            assert await changes.wait(GENEROUS)

    async def test_whoever_waits_is_woken(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(WORK) as changes, anyio.create_task_group() as tasks:
            tasks.start_soon(server.ask)
            assert await changes.wait(GENEROUS)

    async def test_what_happens_to_a_run_is_heard_by_those_who_ask_for_it(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        async with store.changes(about(asked.id)) as changes:
            run = await server.start_one()
            assert await changes.wait(GENEROUS)
            await store.append_lines(run.id, lines(1))
            assert await changes.wait(GENEROUS)
            await end(store, run)
            assert await changes.wait(GENEROUS)

    async def test_an_end_is_heard_as_work_because_it_makes_room(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        await server.ask()
        run = await server.start_one()
        async with store.changes(WORK) as changes:
            await end(store, run)
            assert await changes.wait(GENEROUS)

    async def test_an_end_that_makes_no_room_wakes_no_runner(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        async with store.changes(WORK) as changes:
            await end(store, run)
            assert not await changes.wait(timedelta(milliseconds=1))

    async def test_a_change_of_a_deployment_is_heard_as_such(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(DEPLOYMENTS) as changes:
            await store.set_paused(server.deployment.id, True, now=NOW)
            assert await changes.wait(GENEROUS)

    async def test_what_concerns_others_wakes_nobody(self, store: Store) -> None:
        server = await serve(store, registration())
        run = await server.ask()
        async with store.changes(about(uuid4()), about(uuid4())) as several, store.changes(about(uuid4())) as one:
            await store.append_lines(run.id, lines(1))
            assert not await several.wait(timedelta(milliseconds=1))
            assert not await one.wait(timedelta(milliseconds=1))

    async def test_a_change_is_heard_once(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(WORK) as changes:
            await server.ask()
            await server.ask()
            assert await changes.wait(GENEROUS)
            assert not await changes.wait(timedelta(milliseconds=1))


class StoreContract(
    Registering,
    Presence,
    Creating,
    Claiming,
    Moving,
    Finding,
    Logging,
    Listening,
    PromotingContract,
    AttemptsContract,
    CancellingContract,
    NestingContract,
    LossContract,
    TurnsContract,
):
    """All of it."""
