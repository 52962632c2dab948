"""A lock for one writer at a time, among the threads of a process and the processes of a host."""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from flowsource.errors import StoreUnavailable


class WriteLock:
    """The right to write, held by one thread of one process at a time; the kernel frees it when its holder dies.

    Opens (and makes, for this user only) the file at `path`; raises OSError. `close` gives it back.
    """

    def __init__(self, path: Path, *, patience: timedelta) -> None:
        self._path = path
        self._patience = patience.total_seconds()
        self._threads = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock inside the block; raises StoreUnavailable when it cannot be had in time."""
        deadline = time.monotonic() + self._patience
        if not self._threads.acquire(timeout=self._patience):
            raise self._gave_up()
        try:
            self._lock_file(deadline)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close the file; the lock cannot be held again."""
        os.close(self._file)

    def _lock_file(self, deadline: float) -> None:
        # Tried again and again, because a wait inside flock cannot be given a deadline. A holder writes for a few
        # milliseconds at most, and the uneven pause keeps several that wait from trying in step.
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise self._gave_up() from None
                time.sleep(random.uniform(0.0002, 0.002))
            else:
                return

    def _gave_up(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._path}: somebody has held this lock for {self._patience:g} seconds. "
            "Look for a process that is stopped, or a disk that hangs; `lsof` on the file names its holder."
        )
