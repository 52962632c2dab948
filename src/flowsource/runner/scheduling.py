"""Scheduling: runs are created when they come due, however many runners watch the same clock."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flowsource.errors import StoreUnavailable
from flowsource.schedules import latest_due
from flowsource.store.protocol import WORK, Store

logger = logging.getLogger(__name__)

# Schedules may change without a sound that reaches us, and a clock may be set.
LOOK_EVERY = timedelta(seconds=30)


async def create_scheduled(store: Store, deployment_ids: Sequence[UUID]) -> None:
    """Create the runs of these deployments as they come due, until cancelled."""
    async with store.changes(WORK) as ear:
        while True:
            delay = LOOK_EVERY
            try:
                delay = await create_due(store, deployment_ids, now=datetime.now(UTC))
            except StoreUnavailable as error:
                logger.warning("schedules wait for the store: %s", error)
            await ear.wait(delay)


async def create_due(store: Store, deployment_ids: Sequence[UUID], *, now: datetime) -> timedelta:
    """Create what is due at `now`, of each schedule the latest instant; returns the time until more may be due."""
    delay = LOOK_EVERY
    for state in await store.schedules(deployment_ids):
        if state.is_held:
            continue
        instant = latest_due(state.schedule, after=state.cursor, now=now)
        if instant is not None:
            await store.create_scheduled(state.deployment_id, state.key, [instant], cursor=now, now=now)
        delay = min(delay, state.schedule.next_after(now) - now)
    return delay
