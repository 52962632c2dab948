"""Writing to somebody who may not read: a terminal that is stopped, a pipe that is full, a disk that is."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from io import TextIOWrapper
from typing import TextIO

MOST_WAITING = 1024 * 1024
_FLUSH = timedelta(seconds=1)
_AT_ONCE = 16 * 1024


class Writer:
    """Writes lines to `stream` from a thread of its own, so that nobody else waits for whoever reads it.

    Once `most_waiting` characters wait, what comes is left out, and a note tells how many lines that were; `note` gives
    it the shape of what else is written. What cannot be written is nobody's error. Close it at the end; a process that
    does not closes it as it exits.
    """

    def __init__(
        self, stream: TextIO, *, most_waiting: int = MOST_WAITING, note: Callable[[str], str] | None = None
    ) -> None:
        self._stream, self._most, self._note = stream, most_waiting, note or str
        self._waiting: deque[str] = deque()
        self._characters = self._left_out = 0
        self._is_closed = False
        self._changed = threading.Condition()
        # A daemon: a terminal that nobody reads must not keep the process alive.
        self._thread = threading.Thread(target=self._write_all, name="flowsource-writer", daemon=True)

    def write(self, text: str) -> None:
        """Have `text` written as a line of its own, soon. Returns at once; does nothing once closed."""
        with self._changed:
            if self._is_closed:
                return
            if self._left_out or self._characters >= self._most:
                # All until the note stands in its place: what is shown is in order, with a gap that is told.
                self._left_out += text.count("\n") + 1
                return
            self._waiting.append(text)
            self._characters += len(text) + 1
            self._changed.notify()
            if self._thread.ident is None:
                self._thread.start()
                atexit.register(self.close)

    def leaves_out(self, lines: int) -> bool:
        """Whether lines are left out now, as nobody reads them; then so many more are."""
        with self._changed:
            if self._left_out:
                self._left_out += lines
            return self._left_out > 0

    def close(self, *, within: timedelta = _FLUSH) -> None:
        """Write what waits, and end; what is not written `within` this time is left."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(within.total_seconds())
            atexit.unregister(self.close)

    def _write_all(self) -> None:
        while (text := self._next()) is not None:
            # A closed stream is a ValueError, and so is text that it has no signs for.
            with contextlib.suppress(OSError, ValueError):
                _put(self._stream, f"{text}\n")

    def _next(self) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._left_out or self._is_closed)
            if self._waiting:
                return self._take()
            if self._left_out:
                count, self._left_out = self._left_out, 0
                lines = f"{count} line{'' if count == 1 else 's'}"
                return self._note(f"... {lines} not shown: they came faster than they were read")
            return None

    def _take(self) -> str:
        """What waits, as much as is well written at once."""
        taken, length = [], 0
        while self._waiting and length < _AT_ONCE:
            taken.append(self._waiting.popleft())
            length += len(taken[-1]) + 1
        self._characters -= length
        return "\n".join(taken)


def _put(stream: TextIO, text: str) -> None:
    """Write `text`, for as long as that takes."""
    if not isinstance(stream, TextIOWrapper):
        stream.write(text)
        stream.flush()
        return
    # Past the stream's own buffer: a thread that is stuck in it keeps its lock, for which Python waits as it exits.
    descriptor, data = stream.fileno(), text.encode(stream.encoding, "backslashreplace")
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
