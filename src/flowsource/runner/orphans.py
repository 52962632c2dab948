"""The dead of a container: all that lose their parent become children of its first process, for it to reap."""

from __future__ import annotations

import os
from collections.abc import Set
from contextlib import suppress
from datetime import timedelta
from typing import Final

import anyio

from flowsource.runner.processes import descent

LOOK_EVERY = timedelta(seconds=10)
_FIRST: Final = 1


def fall_to_us() -> bool:
    """Whether we are the first process of a container, or of a machine."""
    return os.getpid() == _FIRST


async def reap_orphans() -> None:
    """Reap children that have ended and that nobody waits for, until cancelled.

    One that was started here is waited for by whoever started it, as soon as it has ended. So those that are still
    there at the next look are nobody's.
    """
    ended: Set[int] = frozenset()
    while True:
        before, ended = ended, _ended_children()
        _reap(before & ended)
        await anyio.sleep(LOOK_EVERY.total_seconds())


def _ended_children() -> Set[int]:
    return {pid for pid in descent.children_of(os.getpid()) if not descent.is_alive(pid)}


def _reap(pids: Set[int]) -> None:
    for pid in pids:
        with suppress(ChildProcessError):  # Whoever started it was first.
            os.waitpid(pid, os.WNOHANG)
