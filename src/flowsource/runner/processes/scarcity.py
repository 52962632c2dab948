"""Whether the kernel has killed processes for want of memory, as the control group that they share counts it."""

from __future__ import annotations

import os
import re
from pathlib import Path

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
        groups, mounts = Path("/proc/self/cgroup"), Path("/proc/self/mountinfo")
        try:
            return cls(counter_file(groups.read_text(), mounts.read_text()))
        except OSError:
            return cls(None)

    def count(self) -> int:
        """The number of them; always 0 where it cannot be known."""
        if self._fd < 0:
            return 0
        # Always read anew from the start of the same open file: this is one system call for each run.
        found = _KILLS.search(os.pread(self._fd, 4096, 0))
        return int(found[1]) if found else 0


def counter_file(groups: str, mounts: str) -> Path | None:
    """The file that counts, by the contents of /proc/self/cgroup and /proc/self/mountinfo; None when there is none."""
    paths: dict[str, str] = {}
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        paths[controllers] = path
    for line in mounts.splitlines():
        fields = line.split(" ")
        root, place = fields[3], Path(fields[4])
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        if kind == "cgroup2" and "" in paths:
            file = _within(place, root, paths[""]) / "memory.events"
        elif kind == "cgroup" and "memory" in options.split(",") and (of_memory := _of_memory(paths)) is not None:
            file = _within(place, root, of_memory) / "memory.oom_control"
        else:
            continue
        if file.is_file():
            return file
    return None


def _of_memory(paths: dict[str, str]) -> str | None:
    return next((path for controllers, path in paths.items() if "memory" in controllers.split(",")), None)


def _within(place: Path, root: str, path: str) -> Path:
    """Where the group `path` is to be seen, below a mount that shows the groups from `root` on at `place`."""
    inside = os.path.relpath(path, root)
    # A container may be shown its own group alone, under a path that holds outside of it.
    return place if inside.startswith("..") else place / inside
