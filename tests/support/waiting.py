"""Waiting for what another task or process does, never for time to pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic, sleep

import anyio

# In seconds, for what never comes: a machine may stand still for a minute, and nothing here says how fast it is.
PATIENCE = 120.0


def until_so(condition: Callable[[], bool], *, within: float = PATIENCE) -> None:
    """As `until`, where there is no event loop."""
    deadline = monotonic() + within
    while not condition():
        if monotonic() > deadline:
            raise TimeoutError
        sleep(0.05)


async def until(condition: Callable[[], bool], *, within: float = PATIENCE) -> None:
    """Return once `condition` holds; raises TimeoutError when it does not `within` that many seconds."""
    with anyio.fail_after(within):
        while not condition():  # noqa: ASYNC110 - the condition is not ours to set an event on
            await anyio.sleep(0.005)


async def until_true(condition: Callable[[], Awaitable[bool]], *, within: float = PATIENCE) -> None:
    """As `until`, for what is asked of a store."""
    with anyio.fail_after(within):
        while not await condition():  # noqa: ASYNC110 - the condition is not ours to set an event on
            await anyio.sleep(0.05)
