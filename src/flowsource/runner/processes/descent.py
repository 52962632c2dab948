"""Which processes descend from a process, as /proc tells."""

from __future__ import annotations

import os
from pathlib import Path

# In the environment of every process that a guardian starts: whose it is, and of which run. What they start has it too.
MARK = "FLOWSOURCE_PROCESS"


def children_of(pid: int) -> set[int]:
    """The children of a process, those that are dead and not yet reaped among them; none when it is gone itself."""
    try:
        lists = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return {int(child) for children in lists for child in children.split()}


def descendants_of(pid: int) -> set[int]:
    """The children of a process and theirs, all the way down."""
    found: set[int] = set()
    left = [pid]
    while left:
        new = children_of(left.pop()) - found
        found |= new
        left += new
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X")


def mark_of(pid: int) -> str:
    """The mark that a process was started with; empty when it has none, or it cannot be read."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    name = f"{MARK}=".encode()
    return next((one.removeprefix(name).decode("ascii", "replace") for one in variables if one.startswith(name)), "")


def marked(start: str) -> set[int]:
    """The living processes whose mark begins with `start`."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {pid for pid in pids if mark_of(pid).startswith(start) and is_alive(pid)}
