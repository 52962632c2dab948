"""A server finds out runners that are gone, and none that could not say that it is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.runs import Run
from flowsource.server import reaping
from flowsource.store.protocol import Store
from flowsource.store.values import KnownRunner
from tests.store.words import HOUR, registration
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaping, "RENEW_EVERY", timedelta(milliseconds=200))
    monkeypatch.setattr(reaping, "LEASE", timedelta(milliseconds=600))


class Watched:
    """A store of which the clock can be set, and that counts how often somebody looked, and how often he reaped."""

    def __init__(self, store: Store) -> None:
        self._store, self.ahead = store, timedelta(0)
        self.looks = self.reaps = 0

    def now(self) -> datetime:
        return self._store.now() + self.ahead

    async def runners(self) -> list[KnownRunner]:
        self.looks += 1
        return await self._store.runners()

    async def reap(self, *, now: datetime, dead: Collection[UUID] = ()) -> list[Run]:
        moved = await self._store.reap(now=now, dead=dead)
        self.reaps += 1
        return moved


@pytest.fixture
async def watched(store: Store) -> AsyncIterator[Watched]:
    watched = Watched(store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reaping.reap_the_lost, cast(Any, watched))
        yield watched
        tasks.cancel_scope.cancel()


async def a_runner(store: Store, *, lease: timedelta) -> UUID:
    runner_id, now = uuid4(), store.now()
    await store.register(runner_id, [registration()], lease_until=now + lease, now=now)
    return runner_id


async def test_a_runner_whose_lease_has_ended_is_given_up(store: Store, watched: Watched) -> None:
    await a_runner(store, lease=-HOUR)
    there = await a_runner(store, lease=HOUR)
    await until(lambda: watched.reaps > 0)
    assert [one.id for one in await store.runners()] == [there]


async def test_when_the_clock_is_set_runners_have_the_time_to_renew_their_leases(
    store: Store, watched: Watched
) -> None:
    runner_id = await a_runner(store, lease=HOUR)
    await until(lambda: watched.reaps > 0)
    looks = watched.looks
    watched.ahead = 2 * HOUR
    await until(lambda: watched.looks > looks)
    await store.renew(runner_id, lease_until=watched.now() + HOUR)
    reaps = watched.reaps
    await until(lambda: watched.reaps > reaps)
    assert [one.id for one in await store.runners()] == [runner_id]
