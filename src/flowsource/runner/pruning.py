"""Removing what was kept long enough, by one of those who serve."""

from __future__ import annotations

import logging
from datetime import timedelta

import anyio

from flowsource.errors import FlowsourceError, NotAllowed
from flowsource.retention import Keeping, Limits, Pruned, limits
from flowsource.store.protocol import Store

logger = logging.getLogger(__name__)

CHORE = "prune"
PRUNE_EVERY = timedelta(minutes=10)
# Between two steps others write, who wait for a SQLite file by looking again and again.
_PAUSE = timedelta(milliseconds=50)


async def prune_now_and_then(store: Store, keeping: Keeping) -> None:
    """Remove what may go, every `PRUNE_EVERY`, unless another process does; until cancelled, or not allowed to."""
    while True:
        try:
            now = store.now()
            if await store.take_turn(CHORE, now=now, length=PRUNE_EVERY):
                with anyio.move_on_after(PRUNE_EVERY.total_seconds()):
                    await prune(store, limits(keeping, now=now))
        except NotAllowed:
            return  # The server whose store it is does so itself.
        except FlowsourceError as error:
            logger.warning("what was kept long enough stays until the store is back: %s", error)
        await anyio.sleep(PRUNE_EVERY.total_seconds())


async def prune(store: Store, what: Limits) -> Pruned:
    """Remove all that may go, in short transactions; how much that was."""
    gone = Pruned()
    while step := await store.prune(what):
        gone += step
        await anyio.sleep(_PAUSE.total_seconds())
    if gone:
        logger.info("removed %s that were kept long enough", gone)
    return gone
