"""What every store promises about the schedules of deployments; its tests subclass this and supply the fixture
`store`."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from flowsource.errors import DeploymentNotFound, InConflict, ScheduleNotFound
from flowsource.promotions import Kind
from flowsource.runs import RunState
from flowsource.schedules import Cron, Interval, Schedule, content_key
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, ScheduleState
from tests.store.words import ANNA, GENEROUS, HOUR, HOURLY, MINUTE, NOW, Server, registration, serve

NIGHTLY = Cron("0 2 * * *", "Europe/Berlin")
WEEKLY = Cron("@weekly", slug="week", parameters={"full": True})


async def states(server: Server) -> list[ScheduleState]:
    return await server.store.schedules([server.deployment.id])


async def said(server: Server) -> list[Schedule]:
    return [state.schedule for state in await states(server)]


async def told(server: Server) -> list[tuple[Kind, str | None, str | None]]:
    """What the history tells of schedules, oldest first."""
    entries = await server.store.history(server.deployment.id)
    return [(entry.kind, entry.by, entry.reason) for entry in reversed(entries) if entry.kind is not Kind.PROMOTED]


class Scheduling:
    async def test_a_schedule_that_a_person_adds_begins_now_and_is_told(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        async with store.changes(DEPLOYMENTS) as changes:
            added = await store.add_schedule(server.deployment.id, WEEKLY, ANNA, now=NOW + MINUTE)
            assert await changes.wait(GENEROUS)
        assert (added.key, added.schedule, added.cursor) == (content_key(WEEKLY), WEEKLY, NOW + MINUTE)
        assert (added.origin, added.added_by, added.is_held) == ("person", "anna", False)
        assert [(state.schedule, state.origin) for state in await states(server)] == [
            (HOURLY, "code"),
            (WEEKLY, "person"),
        ]
        assert await told(server) == [(Kind.SCHEDULE_ADDED, "anna", "wrong day")]
        deployment = await store.deployment("nightly")
        assert (deployment.declared.schedules, deployment.added_schedules) == ((HOURLY,), (WEEKLY,))

    async def test_an_interval_that_a_person_adds_is_counted_from_then_on_whatever_is_served_later(
        self, store: Store
    ) -> None:
        server = await serve(store, registration())
        await store.add_schedule(server.deployment.id, Interval(HOUR), ANNA, now=NOW)
        for restarts in range(1, 4):
            server = await serve(store, registration(), now=NOW + restarts * 50 * MINUTE)
        assert await said(server) == [Interval(HOUR, NOW)]

    async def test_what_a_person_added_survives_restarts_beside_what_the_code_says(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)), lease=HOUR)
        await store.add_schedule(server.deployment.id, WEEKLY, ANNA, now=NOW)
        for declared in [(HOURLY,), (NIGHTLY,), (), (NIGHTLY, HOURLY)]:
            server = await serve(store, registration(schedules=declared), now=NOW + MINUTE)
            assert await said(server) == [*declared, WEEKLY]
            assert (await states(server))[-1].cursor == NOW

    async def test_what_a_person_added_goes_on_from_the_start_of_a_server_where_all_had_stopped(
        self, store: Store
    ) -> None:
        server = await serve(store, registration())
        await store.add_schedule(server.deployment.id, WEEKLY, ANNA, now=NOW)
        await store.retire(server.id, now=NOW)
        server = await serve(store, registration(), now=NOW + HOUR)
        [state] = await states(server)
        assert (state.cursor, state.is_held) == (NOW + HOUR, False)

    async def test_once_the_code_declares_what_a_person_added_it_is_the_codes(self, store: Store) -> None:
        server = await serve(store, registration(), lease=HOUR)
        await store.add_schedule(server.deployment.id, Interval(HOUR), ANNA, now=NOW)
        server = await serve(store, registration(schedules=(Interval(HOUR),)), now=NOW + MINUTE)
        [state] = await states(server)
        assert (state.schedule, state.cursor, state.origin) == (Interval(HOUR, NOW), NOW, "code")
        assert await said(await serve(store, registration(), now=NOW + MINUTE)) == []

    async def test_a_second_schedule_of_a_slug_or_that_says_the_same_is_refused(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY, WEEKLY)))
        for another in (HOURLY, Cron("@daily", slug="week")):
            with pytest.raises(InConflict, match="has that schedule already"):
                await store.add_schedule(server.deployment.id, another, ANNA, now=NOW)
        assert (await said(server), await told(server)) == ([HOURLY, WEEKLY], [])

    async def test_a_schedule_that_a_person_holds_stays_held_and_makes_up_for_nothing(self, store: Store) -> None:
        new = registration(schedules=(HOURLY, NIGHTLY), pause_on_shutdown=False)
        server = await serve(store, new)
        which, key = server.deployment.id, content_key(HOURLY)
        async with store.changes(DEPLOYMENTS) as changes:
            held = await store.set_schedule_active(which, key, False, ANNA, now=NOW + MINUTE)
            assert await changes.wait(GENEROUS)
        assert (held.is_held, held.schedule.active, held.cursor) == (True, False, NOW)
        for _ in range(3):
            server = await serve(store, new, now=NOW + HOUR)
        assert [state.is_held for state in await states(server)] == [True, False]
        assert [state.cursor for state in await states(server)] == [NOW, NOW]
        later = NOW + 5 * HOUR
        resumed = await store.set_schedule_active(which, key, True, ANNA, now=later)
        assert (resumed.is_held, resumed.schedule, resumed.cursor) == (False, HOURLY, later)
        for active in (True, True):
            await store.set_schedule_active(which, key, active, ANNA, now=later + HOUR)
        assert (await states(server))[0].cursor == later
        assert [kind for kind, _, _ in await told(server)] == [Kind.SCHEDULE_PAUSED, Kind.SCHEDULE_RESUMED]

    async def test_a_schedule_stays_held_when_the_code_says_something_else_of_it(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(WEEKLY,)))
        await store.set_schedule_active(server.deployment.id, content_key(WEEKLY), False, ANNA, now=NOW)
        changed = Cron("@daily", slug="week", jitter=5)
        server = await serve(store, registration(schedules=(changed,)), now=NOW + MINUTE)
        assert await said(server) == [Cron("@daily", slug="week", jitter=5, active=False)]

    async def test_a_schedule_that_the_code_holds_and_a_person_does_not_goes_on(self, store: Store) -> None:
        new = registration(schedules=(Cron("@daily", active=False),))
        server = await serve(store, new)
        await store.set_schedule_active(server.deployment.id, content_key(Cron("@daily")), True, ANNA, now=NOW)
        assert [state.is_held for state in await states(await serve(store, new))] == [False]

    async def test_a_schedule_of_the_code_that_a_person_removed_stays_away_until_the_code_changes_it(
        self, store: Store
    ) -> None:
        new = registration(schedules=(HOURLY, WEEKLY))
        server = await serve(store, new)
        which = server.deployment.id
        async with store.changes(DEPLOYMENTS) as changes:
            removed = await store.remove_schedule(which, content_key(WEEKLY), ANNA, now=NOW)
            assert await changes.wait(GENEROUS)
        assert removed.schedule == WEEKLY
        for _ in range(3):
            server = await serve(store, new, now=NOW + HOUR)
            assert (await said(server), server.deployment.declared.schedules) == ([HOURLY], (HOURLY,))
        assert await told(server) == [(Kind.SCHEDULE_REMOVED, "anna", "wrong day")]
        other = Cron("@weekly", slug="week")
        server = await serve(store, registration(schedules=(HOURLY, other)), now=NOW + 2 * HOUR)
        assert [(state.schedule, state.cursor) for state in await states(server)][1] == (other, NOW + 2 * HOUR)

    async def test_a_schedule_that_the_code_dropped_and_declares_again_comes_back(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(WEEKLY,)))
        await store.remove_schedule(server.deployment.id, content_key(WEEKLY), ANNA, now=NOW)
        await serve(store, registration())
        assert await said(await serve(store, registration(schedules=(WEEKLY,)))) == [WEEKLY]

    async def test_a_schedule_that_was_removed_can_be_added_again(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(Interval(HOUR),)))
        which, key = server.deployment.id, content_key(Interval(HOUR))
        await store.remove_schedule(which, key, ANNA, now=NOW)
        back = await store.add_schedule(which, Interval(HOUR), ANNA, now=NOW + 3 * HOUR + MINUTE)
        assert (back.schedule, back.cursor, back.origin) == (Interval(HOUR, NOW), NOW + 3 * HOUR + MINUTE, "code")

    async def test_what_a_person_added_and_removed_is_gone(self, store: Store) -> None:
        server = await serve(store, registration())
        await store.add_schedule(server.deployment.id, WEEKLY, ANNA, now=NOW)
        await store.remove_schedule(server.deployment.id, content_key(WEEKLY), ANNA, now=NOW)
        assert await said(server) == []
        assert await said(await serve(store, registration(schedules=(WEEKLY,)))) == [WEEKLY]

    @pytest.mark.parametrize("is_of_code", [True, False])
    async def test_a_server_that_did_not_hear_that_a_schedule_was_removed_makes_no_run_of_it(
        self, store: Store, is_of_code: bool
    ) -> None:
        server = await serve(store, registration(schedules=(WEEKLY,) if is_of_code else ()))
        which, key = server.deployment.id, content_key(WEEKLY)
        if not is_of_code:
            await store.add_schedule(which, WEEKLY, ANNA, now=NOW)
        await store.remove_schedule(which, key, ANNA, now=NOW)
        assert await store.create_scheduled(which, key, [NOW + HOUR], cursor=NOW + HOUR, now=NOW + HOUR) == []
        assert await store.runs() == []

    async def test_what_is_not_there_is_named(self, store: Store) -> None:
        server = await serve(store, registration(schedules=(HOURLY,)))
        which, key = server.deployment.id, content_key(HOURLY)
        await store.remove_schedule(which, key, ANNA, now=NOW)
        for wanted in (key, "other"):
            with pytest.raises(ScheduleNotFound, match=wanted):
                await store.set_schedule_active(which, wanted, False, ANNA, now=NOW)
            with pytest.raises(ScheduleNotFound, match=wanted):
                await store.remove_schedule(which, wanted, ANNA, now=NOW)
        with pytest.raises(DeploymentNotFound):
            await store.add_schedule(uuid4(), HOURLY, ANNA, now=NOW)
        with pytest.raises(DeploymentNotFound):
            await store.remove_schedule(uuid4(), key, ANNA, now=NOW)

    async def test_a_restart_moves_nothing_that_a_person_or_the_code_set(self, store: Store) -> None:
        new = registration(
            schedules=(Interval(HOUR), WEEKLY, NIGHTLY, Cron("@daily", active=False)), paused=False, tags=("etl",)
        )
        server = await serve(store, new, lease=10 * HOUR)
        which = server.deployment.id
        await store.add_schedule(which, Interval(MINUTE), ANNA, now=NOW)
        await store.set_schedule_active(which, content_key(WEEKLY), False, ANNA, now=NOW)
        await store.remove_schedule(which, content_key(NIGHTLY), ANNA, now=NOW)
        await store.set_paused(which, True, author=ANNA, now=NOW)
        before = await store.deployment("nightly"), await states(server), await store.history(which)
        for restart in range(1, 4):
            server = await serve(store, new, now=NOW + restart * HOUR)
            deployment = await store.deployment("nightly")
            assert (deployment.paused, deployment.schedules) == (True, before[0].schedules)
            assert (await states(server), await store.history(which)) == before[1:]

    async def test_a_pause_that_contradicts_the_code_stays_until_the_code_changes(self, store: Store) -> None:
        server = await serve(store, registration(paused=True))
        await store.set_paused(server.deployment.id, False, author=ANNA, now=NOW)
        assert not (await serve(store, registration(paused=True))).deployment.paused
        assert not (await serve(store, registration(paused=False))).deployment.paused
        assert (await serve(store, registration(paused=True))).deployment.paused

    async def test_how_late_a_run_may_begin_is_said_by_its_schedule_or_else_by_its_deployment(
        self, store: Store
    ) -> None:
        patient, hasty = Cron("@hourly", max_lateness=2 * HOUR), Cron("0 * * * *", max_lateness=1, slug="hasty")
        server = await serve(store, registration(schedules=(patient, hasty, HOURLY), max_lateness=MINUTE))
        allowed = [state.max_lateness for state in await states(server)]
        assert allowed == [2 * HOUR, timedelta(seconds=1), MINUTE]
        for schedule in (patient, hasty, HOURLY):
            key = content_key(schedule)
            await store.create_scheduled(server.deployment.id, key, [NOW], cursor=NOW, now=NOW)
        assert [run.schedule for run in await server.claim(now=NOW + HOUR)] == [content_key(patient)]
        skipped = await store.runs(states=[RunState.SKIPPED])
        assert {run.schedule: run.failure.message for run in skipped if run.failure} == {
            content_key(hasty): "it could not begin within 0:00:01 of its time",
            content_key(HOURLY): "it could not begin within 0:01:00 of its time",
        }

    async def test_a_patience_that_has_ended_holds_also_where_the_deployment_has_none(self, store: Store) -> None:
        hasty = Cron("@hourly", max_lateness=MINUTE)
        server = await serve(store, registration(schedules=(hasty,)))
        for instant in (NOW, NOW + HOUR):
            await store.create_scheduled(server.deployment.id, content_key(hasty), [instant], cursor=instant, now=NOW)
        assert [run.scheduled_at for run in await server.claim(now=NOW + HOUR)] == [NOW + HOUR]
        assert [run.scheduled_at for run in await store.runs(states=[RunState.SKIPPED])] == [NOW]
