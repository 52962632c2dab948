"""What the benchmarks ask the kernel about processes: whose they are, and the CPU they have used. Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

_SECONDS_PER_TICK = 1 / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started and that have not ended."""
    # They are listed with the thread that started each.
    return [int(child) for told in Path(f"/proc/{pid}/task").glob("*/children") for child in told.read_text().split()]


def tree_of(pid: int) -> Iterator[int]:
    """`pid`, all processes below it that live, and none that ended while they were looked for."""
    try:
        children = children_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return
    yield pid
    for child in children:
        yield from tree_of(child)


def is_alive(pid: int) -> bool:
    """Whether the process has not ended, buried or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_of(pid: int) -> float:
    """Seconds of CPU that the process itself has used so far."""
    # The clock of another process, to the nanosecond and with its ended threads; clock_getcpuclockid(3) makes it so.
    return time.clock_gettime((~pid << 3) | 2)


def cpu_of_ended_children(pid: int) -> float:
    """Seconds of CPU that the children of the process used which it has buried, to a hundredth of a second in all."""
    # The name of the program, in parentheses, may hold anything; what comes after it is numbers.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * _SECONDS_PER_TICK


def cpu_of_tree(pid: int) -> float:
    """Seconds of CPU that the process and all below it have used so far, with those of them that have ended."""
    used = 0.0
    for one in tree_of(pid):
        try:
            used += cpu_of(one) + cpu_of_ended_children(one)
        except OSError:
            # It ended meanwhile: its parent has what it used, now or at the next look.
            continue
    return used


def command_of(pid: int) -> list[str]:
    """The words by which the process was started; none for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []
