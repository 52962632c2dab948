"""Control groups that tests make, where this machine lets them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from flowsource.runner.processes.control_groups import made, place_for
from flowsource.runner.processes.membership import memberships
from flowsource.runner.processes.scarcity import counter_file
from tests.support.parts import forbids
from tests.support.waiting import PATIENCE


@contextmanager
def control_group() -> Iterator[Path]:
    """A group that is ended with the block; skips the test where there can be none."""
    with made(place_for(f"flowsource-test-{uuid4()}")) as group:
        if group is None:
            forbids("no control group of version 2 can be made below the one that the tests are in")
        yield group


@contextmanager
def small_group(*, limit: int) -> Iterator[Path]:
    """The directory of a control group whose processes may have `limit` bytes together.

    Whoever writes 0 to its `cgroup.procs` is in it from then on, with all that he starts; all of them must have ended
    before the block does. Skips the test, saying why, where there can be none.
    """
    counter = counter_file(memberships())
    if counter is None:
        forbids("no control group of this machine counts memory")
    is_version_2 = counter.name == "memory.events"
    # In version 2 a group that has processes has no groups in it that count memory: ours is beside it.
    place = counter.parent.parent if is_version_2 else counter.parent
    group = place / f"flowsource-{uuid4().hex}"
    try:
        group.mkdir()
    except OSError as error:
        forbids(f"no control group can be made here: {error}")
    try:
        limits = group / ("memory.max" if is_version_2 else "memory.limit_in_bytes")
        if not limits.exists():
            forbids(f"{place} has no groups that count memory")
        limits.write_text(str(limit))
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a group, once the last of its processes is out of it: that is some moments after it was waited for."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
