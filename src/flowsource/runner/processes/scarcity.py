"""Whether the kernel has killed processes for want of memory, as the control group that they share counts it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from flowsource.runner.processes.membership import Membership, memberships

_KILLS = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


class KillsForMemory:
    """How many processes of our control group the kernel has killed for want of memory, in all.

    Read from `memory.events` (version 2 of control groups) or `memory.oom_control` (version 1).
    """

    def __init__(self, file: Path | None) -> None:
        self._fd = -1 if file is None else os.open(file, os.O_RDONLY | os.O_CLOEXEC)

    @classmethod
    def of_this_process(cls) -> KillsForMemory:
        """Those of the group that this process is in, and with it all that it starts."""
        try:
            return cls(counter_file(memberships()))
        except OSError:
            return cls(None)

    def count(self) -> int:
        """The number of them; always 0 where it cannot be known."""
        if self._fd < 0:
            return 0
        # Always read anew from the start of the same open file: this is one system call for each run.
        found = _KILLS.search(os.pread(self._fd, 4096, 0))
        return int(found[1]) if found else 0


def counter_file(groups: Iterable[Membership]) -> Path | None:
    """The file that counts, for a process that is in these; None when there is none."""
    for group in groups:
        if not group.controllers:
            # What is used by a group that memory is not counted for is counted for the one that it is in.
            files = [place / "memory.events" for place in group.upwards]
        elif "memory" in group.controllers:
            files = [group.path / "memory.oom_control"]
        else:
            continue
        if (file := next(filter(Path.is_file, files), None)) is not None:
            return file
    return None
