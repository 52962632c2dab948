"""Scheduling: each instant that is due becomes one run, whatever else is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from flowsource.runner.scheduling import create_due
from flowsource.schedules import Cron, Interval
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.store.words import HOUR, MINUTE, NOW, registration, serve

pytestmark = pytest.mark.anyio

YEAR = timedelta(days=365)
EVERY_MINUTE = Interval(MINUTE, NOW)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield store


async def test_the_latest_instant_becomes_one_run_however_often_one_looks(store: Store) -> None:
    deployment = (await serve(store, registration(schedules=(EVERY_MINUTE,)))).deployment
    now = NOW + 3 * MINUTE + timedelta(seconds=20)
    for _ in range(2):
        assert await create_due(store, [deployment.id], now=now, broken=set()) == timedelta(seconds=30)
    assert [run.scheduled_at for run in await store.runs()] == [NOW + 3 * MINUTE]


async def test_a_clock_that_was_ahead_once_silences_no_schedule_and_doubles_no_run(store: Store) -> None:
    deployment = (await serve(store, registration(schedules=(EVERY_MINUTE,)), now=NOW)).deployment
    await create_due(store, [deployment.id], now=NOW + MINUTE, broken=set())
    await create_due(store, [deployment.id], now=NOW + YEAR, broken=set())  # the clock is wrong, and then set right
    for seconds in range(60, 241, 15):
        await create_due(store, [deployment.id], now=NOW + timedelta(seconds=seconds), broken=set())
    due_at = sorted(run.scheduled_at for run in await store.runs())
    assert due_at == [NOW + count * MINUTE for count in (1, 2, 3, 4)] + [NOW + YEAR]


async def test_a_schedule_that_cannot_be_used_holds_up_no_other_and_is_told_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    over = Cron.as_stored("* * * * * * 2020", "UTC")
    unknown = Cron.as_stored("* * * * *", "Mars/Olympus")
    server = await serve(
        store, registration("old", schedules=(over, unknown)), registration("new", schedules=(Interval(HOUR, NOW),))
    )
    assert await store.deployments() == sorted(server.deployments, key=lambda one: one.full_name)
    broken: set[tuple[UUID, str]] = set()
    for hours in (1, 2):
        await create_due(store, [one.id for one in server.deployments], now=NOW + hours * HOUR, broken=broken)
    assert sorted((run.deployment, run.scheduled_at) for run in await store.runs()) == [
        ("etl/new", NOW + HOUR),
        ("etl/new", NOW + 2 * HOUR),
    ]
    assert len(caplog.messages) == 2
    assert {message.partition(" is left out")[0] for message in caplog.messages} == {
        "cron '* * * * * * 2020'",
        "cron '* * * * *' in Mars/Olympus",
    }
