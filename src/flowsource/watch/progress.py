"""Telling on a terminal how far a fetch has come that takes its time."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from flowsource.sources.base import Progress, Report, say_nothing
from flowsource.text import one_line

# Whoever waits less than this wants to see nothing, and whoever waits longer no more often than this.
_PATIENCE: Final = 1.0
_EVERY: Final = 0.1
_BAR: Final = 24


@contextmanager
def told(label: str, stream: TextIO | None = None) -> Iterator[Report]:
    """A report that is shown as one line, by default on standard error, and leaves nothing behind.

    Where that is no terminal nothing is shown.
    """
    stream = stream if stream is not None else sys.stderr
    if stream is None or not stream.isatty():
        yield say_nothing
        return
    line = _Line(label, stream)
    try:
        yield line.show
    finally:
        line.clear()


def describe(label: str, progress: Progress) -> str:
    """How far a fetch is, in one line.

    >>> describe("repo", Progress(12_345_678, 50, 200))
    'repo  ██████░░░░░░░░░░░░░░░░░░   25 %  12.3 MB'
    >>> describe("repo", Progress(999, 3))
    'repo  3 files  0.0 MB'
    """
    size = f"{progress.received / 1e6:.1f} MB"
    if not progress.total:
        return f"{label}  {progress.done:,} files  {size}"
    share = min(progress.done / progress.total, 1.0)
    filled = int(share * _BAR)
    return f"{label}  {'█' * filled}{'░' * (_BAR - filled)}  {share:4.0%}  {size}".replace("%", " %")


class _Line:
    def __init__(self, label: str, stream: TextIO) -> None:
        self._label, self._stream = one_line(label), stream
        self._due = time.monotonic() + _PATIENCE
        self._is_shown = False

    def show(self, progress: Progress) -> None:
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _EVERY
        self._is_shown = True
        width = shutil.get_terminal_size().columns
        self._write(describe(self._label, progress)[: width - 1])

    def clear(self) -> None:
        if self._is_shown:
            self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()
