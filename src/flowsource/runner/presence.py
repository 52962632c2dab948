"""Presence: a runner says that it lives, and finds out those that no longer do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import anyio

from flowsource.errors import FlowsourceError, NotFound
from flowsource.runner.fencing import Pulse
from flowsource.runner.lifesigns import bury_the_dead
from flowsource.store.protocol import Store

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEW_EVERY = timedelta(seconds=15)
# Before its end, and long before anybody else acts on that.
FENCE_AFTER = LEASE - timedelta(seconds=20)
_ROUNDS_OF_PATIENCE = 3
_FAR = timedelta(seconds=5)


async def stay_present(
    store: Store, runner_id: UUID, on_lost: Callable[[], Awaitable[None]], *, pulse: Pulse, signs: Path
) -> None:
    """Renew the lease of `runner_id`, until cancelled; `on_lost` is called when it was given up meanwhile.

    `pulse` beats each time the store has heard of it. Those that died on this host are known by their `signs` of life,
    at once; others are given up when their lease has ended.
    """
    looked_at, patience, is_told = store.now(), _ROUNDS_OF_PATIENCE, False
    while True:
        now = store.now()
        # After a time asleep, or a clock that was set, every lease looks ended, and we may just have been started
        # after one: the others get the time to renew theirs.
        patience = _ROUNDS_OF_PATIENCE if now - looked_at > 2 * RENEW_EVERY else max(0, patience - 1)
        looked_at = now
        try:
            asked_at = pulse.now()
            await _renew(store, runner_id, on_lost, now)
            pulse.beat(asked_at)
            is_told = is_told or _tell_of_clock(store.now() - datetime.now(UTC))
            moved = await bury_the_dead(store, signs)
            if not patience:
                moved += await store.reap(now=now)
            for run in moved:
                logger.warning("run %s of %s is %s: its server is gone", run.name, run.deployment, run.state)
        except FlowsourceError as error:
            logger.warning("the store does not answer: %s", error)
            # Nobody else can have renewed either.
            patience = _ROUNDS_OF_PATIENCE
        await anyio.sleep(RENEW_EVERY.total_seconds())


def _tell_of_clock(ahead: timedelta) -> bool:
    """Say so where the clock of this machine is far from that of the store; whether it is."""
    if is_far := abs(ahead) > _FAR:
        logger.warning(
            "the clock of this machine is %.0f s %s that of the store, which counts; set it, for the lines of logs",
            abs(ahead.total_seconds()),
            "behind" if ahead > timedelta(0) else "ahead of",
        )
    return is_far


async def _renew(store: Store, runner_id: UUID, on_lost: Callable[[], Awaitable[None]], now: datetime) -> None:
    try:
        await store.renew(runner_id, lease_until=now + LEASE)
    except NotFound:
        logger.warning("this server was out of sight for longer than its lease; it registers again")
        await on_lost()
