"""Scheduling: runs are created when they come due, however many runners watch the same clock."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flowsource.errors import StoreUnavailable
from flowsource.schedules import latest_due
from flowsource.store.protocol import DEPLOYMENTS, ScheduleState, Store

logger = logging.getLogger(__name__)

# Schedules may change without a sound that reaches us, and a clock may be set.
LOOK_EVERY = timedelta(seconds=30)
# Where a cursor tells nothing: as far as the last look can lie behind us.
_LOOK_BACK = 2 * LOOK_EVERY


async def create_scheduled(store: Store, deployment_ids: Sequence[UUID]) -> None:
    """Create the runs of these deployments as they come due, until cancelled."""
    broken: set[tuple[UUID, str]] = set()
    async with store.changes(DEPLOYMENTS) as ear:
        while True:
            delay = LOOK_EVERY
            try:
                delay = await create_due(store, deployment_ids, now=datetime.now(UTC), broken=broken)
            except StoreUnavailable as error:
                logger.warning("schedules wait for the store: %s", error)
            await ear.wait(delay)


async def create_due(
    store: Store, deployment_ids: Sequence[UUID], *, now: datetime, broken: set[tuple[UUID, str]]
) -> timedelta:
    """Create what is due at `now`, of each schedule the latest instant; returns the time until more may be due.

    A schedule that cannot be used holds up no other. It is told once, which `broken` remembers between calls.
    """
    delay = LOOK_EVERY
    for state in await store.schedules(deployment_ids):
        if state.is_held:
            continue
        this = (state.deployment_id, state.key)
        try:
            delay = min(delay, await _create_due(store, state, now))
            broken.discard(this)
        except StoreUnavailable:
            raise
        except Exception as error:
            if this not in broken:
                logger.warning("%s is left out: %s", state.schedule.describe(), error)
            broken.add(this)
    return delay


async def _create_due(store: Store, state: ScheduleState, now: datetime) -> timedelta:
    # A cursor ahead of us was set by a clock that was ahead. What lies before it may have no run yet; where it has
    # one, the store keeps it from getting a second.
    after = state.cursor if state.cursor <= now else now - _LOOK_BACK
    instant = latest_due(state.schedule, after=after, now=now)
    if instant is not None:
        await store.create_scheduled(state.deployment_id, state.key, [instant], cursor=now, now=now)
    return state.schedule.next_after(now) - now
