"""Finding out runners that are out of sight, also where none is left that could."""

from __future__ import annotations

import logging

import anyio

from flowsource.errors import StoreUnavailable
from flowsource.runner.presence import LEASE, RENEW_EVERY
from flowsource.store.protocol import Store

logger = logging.getLogger(__name__)


async def reap_the_lost(store: Store) -> None:
    """Give up runners whose lease has ended, until cancelled.

    Not before a whole lease has passed in which they could renew it: while the server, or its store, was away nobody
    could, and that was not their fault. Nor was it that a clock was set, by which all leases have ended.
    """
    patience_until, looked_at = anyio.current_time() + LEASE.total_seconds(), store.now()
    while True:
        await anyio.sleep(RENEW_EVERY.total_seconds())
        now = store.now()
        if now - looked_at > 2 * RENEW_EVERY:
            patience_until = anyio.current_time() + LEASE.total_seconds()
        looked_at = now
        try:
            if anyio.current_time() < patience_until:
                await store.runners()
                continue
            for run in await store.reap(now=now):
                logger.warning("run %s of %s is %s: its runner is gone", run.name, run.deployment, run.state)
        except StoreUnavailable as error:
            logger.warning("the store does not answer: %s", error)
            patience_until = anyio.current_time() + LEASE.total_seconds()
