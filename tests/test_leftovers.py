"""Tests that are killed leave nothing running."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from tests.support.waiting import PATIENCE

_TESTS = """
import subprocess, sys, time
from tests.support.leftovers import end_with_us

started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
end_with_us(started)
print(started.pid, flush=True)
time.sleep(600)
"""


def test_what_they_started_ends_when_they_are_killed() -> None:
    root = Path(__file__).parent.parent
    with subprocess.Popen([sys.executable, "-c", _TESTS], cwd=root, stdout=subprocess.PIPE) as tests:
        assert tests.stdout is not None
        started = int(tests.stdout.readline())
        assert is_alive(started)
        tests.send_signal(signal.SIGKILL)
    deadline = monotonic() + PATIENCE
    while is_alive(started):
        assert monotonic() < deadline, "it goes on"
        sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
