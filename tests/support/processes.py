"""What /proc tells of processes."""

from __future__ import annotations

import os
from pathlib import Path

from flowsource.runner.processes.descent import descendants_of, is_alive


def parent_of(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def below_us(*, beside: frozenset[int] = frozenset()) -> frozenset[int]:
    """Every process that descends from this one, dead and unreaped ones among them, but for those `beside` and theirs.

    A server that was started for other tests, as a PostgreSQL is, has processes that come and go as it likes.
    """

    def look() -> set[int]:
        return descendants_of(os.getpid()).difference(beside, *map(descendants_of, beside))

    # While one of its children is reaped, the list of a process may leave out another: two looks must agree.
    found: set[int] | None = None
    while (seen := look()) != found:
        found = seen
    return frozenset(seen)


def descriptors_of(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def written_pids(note: Path) -> list[int]:
    """The pids that processes have written to a file, a line each."""
    return [int(line) for line in note.read_text().split()] if note.exists() else []


def alive(pids: list[int]) -> list[int]:
    """Those of the processes that have not ended."""
    return [pid for pid in pids if is_alive(pid)]
