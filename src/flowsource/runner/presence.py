"""Presence: a runner says that it lives, and ends the runs of those that no longer say so."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

import anyio

from flowsource.errors import StoreUnavailable
from flowsource.store.protocol import Store

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEW_EVERY = timedelta(seconds=15)


async def stay_present(store: Store, runner_id: UUID) -> None:
    """Renew the lease of `runner_id`, until cancelled."""
    while True:
        now = datetime.now(UTC)
        try:
            await store.renew(runner_id, lease_until=now + LEASE)
            for run in await store.reap(now=now):
                logger.warning("run %s of %s crashed: its server is gone", run.name, run.deployment)
        except StoreUnavailable as error:
            logger.warning("the store does not answer: %s", error)
        await anyio.sleep(RENEW_EVERY.total_seconds())
