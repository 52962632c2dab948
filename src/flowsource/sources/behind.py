"""Writing files in another thread, while whoever gives them goes on with the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

# A hand-over costs as much as a small file, so that several go together. No more is held than four times this.
_BATCH: Final = 1 << 20
_MOST_IN_BATCH: Final = 128
_MOST_BATCHES: Final = 3

_Job = tuple[bytes, bytes, bool, str]


class WriteBehind:
    """Calls `write` for each file that is given, in order and in a thread of its own.

    What it raises is raised by a later `give`, or by `finish`.
    """

    def __init__(self, write: Callable[[bytes, bytes, bool, str], None]) -> None:
        self._write = write
        self._executor: ThreadPoolExecutor | None = None
        self._batch: list[_Job] = []
        self._size = 0
        self._going_on: deque[Future[None]] = deque()

    def give(self, path: bytes, content: bytes, executable: bool, digest: str) -> None:
        """Have a file written, sooner or later."""
        self._batch.append((path, content, executable, digest))
        self._size += len(content)
        if self._size >= _BATCH or len(self._batch) >= _MOST_IN_BATCH:
            self._hand_over()

    def finish(self) -> None:
        """Return when all that was given is written."""
        if self._executor is None:
            # A few small files: nothing was gained by a thread.
            self._write_all(self._batch)
            self._batch = []
            return
        self._hand_over()
        while self._going_on:
            self._going_on.popleft().result()
        self.close()

    def close(self) -> None:
        """Return when nothing is being written any more; what was not begun is not written."""
        self._batch = []
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            wait(self._going_on)
            self._going_on.clear()
            self._executor = None

    def _hand_over(self) -> None:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "flowsource-writing")
        while len(self._going_on) >= _MOST_BATCHES:
            self._going_on.popleft().result()
        self._going_on.append(self._executor.submit(self._write_all, self._batch))
        self._batch, self._size = [], 0

    def _write_all(self, batch: list[_Job]) -> None:
        for job in batch:
            self._write(*job)
