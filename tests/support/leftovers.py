"""Ends what tests have started where they can no longer do so themselves: because they were killed."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

# It reads of each process its id and when it began, until the last who could write is gone. An id that has gone to
# another process by then began later.
_WATCHER = """
import os, signal, sys

def began(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return None

started = [line.split() for line in sys.stdin]
for pid, at in started:
    if began(pid) == at:
        os.kill(int(pid), signal.SIGKILL)
"""


def end_with_us(process: subprocess.Popen[bytes]) -> None:
    """Have `process` be killed when this one is gone, if it is there by then."""
    began = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    watcher = _watcher().stdin
    assert watcher is not None
    watcher.write(f"{process.pid} {began}\n".encode())
    watcher.flush()


@cache
def _watcher() -> subprocess.Popen[bytes]:
    """A process that outlives us; of a group of its own, so that no signal of a terminal ends it before."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
