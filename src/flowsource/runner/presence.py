"""Presence: a runner says that it lives, and ends the runs of those that no longer say so."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import anyio

from flowsource.errors import NotFound, StoreUnavailable
from flowsource.store.protocol import Store

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEW_EVERY = timedelta(seconds=15)
_ROUNDS_OF_PATIENCE = 3


async def stay_present(store: Store, runner_id: UUID, on_lost: Callable[[], Awaitable[None]]) -> None:
    """Renew the lease of `runner_id`, until cancelled; `on_lost` is called when it was given up meanwhile."""
    looked_at, patience = datetime.now(UTC), _ROUNDS_OF_PATIENCE
    while True:
        now = datetime.now(UTC)
        # After a time asleep, or a clock that was set, every lease looks ended, and we may just have been started
        # after one: the others get the time to renew theirs.
        patience = _ROUNDS_OF_PATIENCE if now - looked_at > 2 * RENEW_EVERY else max(0, patience - 1)
        looked_at = now
        try:
            await _renew(store, runner_id, on_lost, now)
            if not patience:
                for run in await store.reap(now=now):
                    logger.warning("run %s of %s crashed: its server is gone", run.name, run.deployment)
        except StoreUnavailable as error:
            logger.warning("the store does not answer: %s", error)
        await anyio.sleep(RENEW_EVERY.total_seconds())


async def _renew(store: Store, runner_id: UUID, on_lost: Callable[[], Awaitable[None]], now: datetime) -> None:
    try:
        await store.renew(runner_id, lease_until=now + LEASE)
    except NotFound:
        logger.warning("this server was out of sight for longer than its lease; its runs were given up")
        await on_lost()
