"""A clock for one process and all that it starts, which can be set while they go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flowsource.runner.processes.descent import is_alive
from tests.support.parts import requires

# As the command `faketime` names it: the loader puts in where this machine has its libraries.
_LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"


@dataclass
class Clock:
    """The time of day, kept in a file for those that are started with `environ`. What time takes is as it is."""

    file: Path
    ahead: timedelta = timedelta(0)

    @property
    def environ(self) -> dict[str, str]:
        """What a process is to be started with."""
        return {
            "LD_PRELOAD": _LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def now(self) -> datetime:
        """What it says."""
        return datetime.now(UTC) + self.ahead

    def set_to(self, instant: datetime) -> None:
        """Set it; it goes on from there."""
        self.ahead = instant - datetime.now(UTC)
        new = self.file.with_suffix(".new")
        new.write_text(f"{self.ahead.total_seconds():+f}")
        # Replaced, never edited: whoever reads it finds one time or the other.
        os.replace(new, self.file)


@contextmanager
def clock(file: Path) -> Iterator[Clock]:
    """A clock that is right until it is set. Skips the test, saying why, where none can be had."""
    requires("faketime")
    made = Clock(file)
    made.set_to(datetime.now(UTC))
    try:
        yield made
    finally:
        _tidy()


def _tidy() -> None:
    """Remove what the library shares between processes, of those that were killed before they could."""
    for path in Path("/dev/shm").glob("*faketime_s*_*"):
        pid = path.name.rpartition("_")[2]
        if pid.isdigit() and not is_alive(int(pid)):
            path.unlink(missing_ok=True)
