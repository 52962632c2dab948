"""Fencing: a server that is cut off from the store ends what another one may be about to run again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

import anyio

logger = logging.getLogger(__name__)

_LOOK_EVERY = timedelta(seconds=1)


def boot_clock() -> timedelta:
    """Time since the machine was started, the time it slept included: leases run out meanwhile."""
    return timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))


class Pulse:
    """When the store was last told that we live."""

    def __init__(self, clock: Callable[[], timedelta] = boot_clock) -> None:
        self._clock = clock
        self._beaten_at = clock()

    def now(self) -> timedelta:
        """What to give to `beat` once the store has answered: the time counts from when it was asked."""
        return self._clock()

    def beat(self, at: timedelta) -> None:
        """The store was told so at that time, and has heard it."""
        self._beaten_at = at

    @property
    def age(self) -> timedelta:
        """How long that was ago."""
        return self._clock() - self._beaten_at


async def fence(pulse: Pulse, after: timedelta, is_needed: Callable[[], bool], end: Callable[[], None]) -> None:
    """Call `end` whenever the pulse is as old as `after` while it `is_needed`, until cancelled."""
    while True:
        # Looked at often, not slept until: a clock that counts the sleep of a machine wakes nobody.
        await anyio.sleep(_LOOK_EVERY.total_seconds())
        if pulse.age >= after and is_needed():
            logger.warning("the store was not reached for %s: runs that may be run again are ended", pulse.age)
            end()
