"""Control groups (version 2) of our own: what is in one can be killed as a whole, however it was detached.

They only hold processes together. No controller is switched on and no limit is set, and each is made below the group
that we are in, so that the limits which we were given hold in it too.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flowsource.runner.processes.membership import memberships

_KILLED_SECONDS = 1.0


def place_for(name: str) -> Path | None:
    """Where a group of that name may be made; None where there can be none."""
    for group in memberships():
        # A mount may show another group than that which we are in.
        if not group.controllers and os.access(group.path, os.W_OK) and os.getpid() in _processes_in(group.path):
            return group.path / name
    return None


@contextmanager
def made(place: Path | None) -> Iterator[Path | None]:
    """A group at `place` for as long as the block goes on, which ends it; None where there can be none."""
    group = None if place is None else make(place)
    try:
        yield group
    finally:
        if group is not None:
            end(group)


def make(place: Path) -> Path | None:
    """A new group at `place`; None when there can be none, or the kernel is too old to kill it as a whole."""
    with suppress(OSError):  # It is not ours to make.
        place.mkdir()
        if (place / "cgroup.kill").exists():
            return place
        place.rmdir()
    return None


def join(group: Path) -> None:
    """Be in `group` from now on, with all that this process will start; where that is not allowed, stay."""
    with suppress(OSError):
        (group / "cgroup.procs").write_text("0")


def end(group: Path) -> bool:
    """Kill all that is in `group`, and remove it with those below it; whether nothing is left in it.

    Takes a second at most. One that does not exist, as after a restart of the machine, has nothing in it.
    """
    with suppress(OSError):  # It is gone.
        (group / "cgroup.kill").write_text("1")
    is_empty = _wait_until_empty(group)
    with suppress(OSError):  # Something is in it still, which the answer tells.
        for directory, _, _ in os.walk(group, topdown=False):
            os.rmdir(directory)
    return is_empty


def _wait_until_empty(group: Path) -> bool:
    deadline = time.monotonic() + _KILLED_SECONDS
    try:
        with open(group / "cgroup.events", "rb", buffering=0) as events:
            changes = select.poll()
            changes.register(events, select.POLLPRI)
            while b"populated 1" in os.pread(events.fileno(), 4096, 0):
                if (left := deadline - time.monotonic()) <= 0:
                    return False
                changes.poll(left * 1000)
    except OSError:
        pass  # It is gone: never there, or removed by another.
    return True


def _processes_in(group: Path) -> set[int]:
    try:
        return set(map(int, (group / "cgroup.procs").read_text().split()))
    except OSError:
        return set()
