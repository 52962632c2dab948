"""Scheduling: each instant that is due becomes one run, whatever else is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from flowsource.runs import RunState
from flowsource.schedules import Cron, Interval, RRule
from flowsource.store.protocol import Store
from tests.runner.clockwork import create_due
from tests.store.words import HOUR, MINUTE, NOW, registration, serve

pytestmark = pytest.mark.anyio

YEAR = timedelta(days=365)
EVERY_MINUTE = Interval(MINUTE, NOW)


async def scheduled(store: Store, *states: RunState) -> list[datetime]:
    """The instants of the runs that are in one of `states`, oldest first."""
    return sorted(run.scheduled_at for run in await store.runs(states=states, limit=1000))


async def test_the_latest_instant_becomes_one_run_however_often_one_looks(store: Store) -> None:
    deployment = (await serve(store, registration(schedules=(EVERY_MINUTE,)))).deployment
    now = NOW + 3 * MINUTE + timedelta(seconds=20)
    for _ in range(2):
        assert await create_due(store, [deployment.id], now=now, broken=set()) == timedelta(seconds=30)
    assert await scheduled(store, RunState.SCHEDULED) == [NOW + 3 * MINUTE]


async def test_what_was_passed_over_is_told_with_the_reason_and_never_executed(store: Store) -> None:
    server = await serve(store, registration(schedules=(EVERY_MINUTE,), max_lateness=timedelta(seconds=90)))
    now = NOW + 3 * MINUTE + timedelta(seconds=20)
    for _ in range(2):
        await create_due(store, [server.deployment.id], now=now, broken=set())
    skipped = await store.runs(states=[RunState.SKIPPED])
    first, second = sorted(skipped, key=lambda run: run.scheduled_at)
    assert [(run.scheduled_at, run.created_at, run.ended_at) for run in (first, second)] == [
        (NOW + MINUTE, now, now),
        (NOW + 2 * MINUTE, now, now),
    ]
    reasons = [(await store.transitions(run.id))[0].reason for run in (first, second)]
    assert reasons == [
        "it could not begin within 0:01:30 of its time",
        "nobody looked when it came due, and catchup is 'latest'",
    ]
    assert [run.failure.message for run in (first, second) if run.failure] == reasons
    assert [run.scheduled_at for run in await server.claim(now=now)] == [NOW + 3 * MINUTE]


async def test_all_that_came_due_is_made_up_for_in_order_and_look_by_look(store: Store) -> None:
    server = await serve(store, registration(schedules=(EVERY_MINUTE,), catchup="all"))
    now = NOW + 150 * MINUTE
    delay = await create_due(store, [server.deployment.id], now=now, broken=set())
    assert delay == timedelta(0)
    assert await scheduled(store) == [NOW + count * MINUTE for count in range(1, 101)]
    assert await create_due(store, [server.deployment.id], now=now, broken=set()) > timedelta(0)
    assert await scheduled(store, RunState.SCHEDULED) == [NOW + count * MINUTE for count in range(1, 151)]


async def test_nothing_is_made_up_for_and_what_comes_due_meanwhile_runs(store: Store) -> None:
    server = await serve(store, registration(schedules=(Interval(HOUR, NOW),), catchup="none"))
    await create_due(store, [server.deployment.id], now=NOW + 2 * HOUR + 30 * MINUTE, broken=set())
    await create_due(store, [server.deployment.id], now=NOW + 3 * HOUR + timedelta(seconds=20), broken=set())
    assert await scheduled(store, RunState.SCHEDULED) == [NOW + 3 * HOUR]
    assert await scheduled(store, RunState.SKIPPED) == [NOW + HOUR, NOW + 2 * HOUR]


async def test_a_long_absence_leaves_no_more_traces_than_anybody_reads(store: Store) -> None:
    server = await serve(store, registration(schedules=(EVERY_MINUTE,)))
    await create_due(store, [server.deployment.id], now=NOW + YEAR, broken=set())
    assert await scheduled(store, RunState.SKIPPED) == [NOW + YEAR - count * MINUTE for count in range(100, 0, -1)]


async def test_a_clock_that_was_ahead_once_silences_no_schedule_and_doubles_no_run(store: Store) -> None:
    deployment = (await serve(store, registration(schedules=(EVERY_MINUTE,)), now=NOW)).deployment
    await create_due(store, [deployment.id], now=NOW + MINUTE, broken=set())
    await create_due(store, [deployment.id], now=NOW + YEAR, broken=set())  # the clock is wrong, and then set right
    for seconds in range(60, 241, 15):
        await create_due(store, [deployment.id], now=NOW + timedelta(seconds=seconds), broken=set())
    due_at = await scheduled(store, RunState.SCHEDULED)
    assert due_at == [NOW + count * MINUTE for count in (1, 2, 3, 4)] + [NOW + YEAR]


async def test_a_schedule_that_cannot_be_used_holds_up_no_other_and_is_told_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    over = Cron.as_stored({"expression": "* * * * * * 2020"})
    unknown = Cron.as_stored({"expression": "* * * * *", "timezone": "Mars/Olympus"})
    server = await serve(
        store, registration("old", schedules=(over, unknown)), registration("new", schedules=(Interval(HOUR, NOW),))
    )
    assert await store.deployments() == sorted(server.deployments, key=lambda one: one.full_name)
    broken: set[tuple[UUID, str]] = set()
    for hours in (1, 2):
        await create_due(store, [one.id for one in server.deployments], now=NOW + hours * HOUR, broken=broken)
    assert await scheduled(store) == [NOW + HOUR, NOW + 2 * HOUR]
    assert {run.deployment for run in await store.runs()} == {"etl/new"}
    assert len(caplog.messages) == 2
    assert {message.partition(" is left out")[0] for message in caplog.messages} == {
        "cron '* * * * * * 2020'",
        "cron '* * * * *' in Mars/Olympus",
    }


async def test_a_rule_that_has_ended_makes_no_more_runs(store: Store) -> None:
    rule = RRule(f"DTSTART:{NOW:%Y%m%dT%H%M%S}\nRRULE:FREQ=HOURLY;COUNT=3")
    server = await serve(store, registration(schedules=(rule,), catchup="all"))
    for hours in (1, 2, 3, 4):
        delay = await create_due(store, [server.deployment.id], now=NOW + hours * HOUR, broken=set())
    assert await scheduled(store) == [NOW + HOUR, NOW + 2 * HOUR]
    assert delay > timedelta(0)
