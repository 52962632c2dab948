"""The end of what somebody says too much of."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from flowsource.runner.output.lines import LineSplitter

LINES = 200
_MOST_BYTES = 1024 * 1024
_JOINED_BYTES = 4096

_Record = TypeVar("_Record")


@dataclass(slots=True)
class _Printed:
    data: bytes
    at: datetime
    lines: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How much was left out: lines, and bytes of them."""

    lines: int = 0
    size: int = 0


class Tail(Generic[_Record]):
    """Keeps the last lines of a flood, and counts the others. What is printed is looked at as little as possible."""

    def __init__(self) -> None:
        self._held: deque[_Printed | tuple[_Record, int]] = deque()
        self._lines = self._size = self._gone_lines = self._gone_size = 0
        # Whether what is gone ended in the middle of a line, so that the rest of it is no line any more.
        self._is_cut = False

    def printed(self, data: bytes, *, at: datetime) -> None:
        """Bytes were printed."""
        lines = data.count(b"\n")
        last = self._held[-1] if self._held else None
        if isinstance(last, _Printed) and len(last.data) + len(data) <= _JOINED_BYTES:
            last.data += data
            last.lines += lines
        else:
            self._held.append(_Printed(data, at, lines))
        self._grow(lines, len(data))

    def recorded(self, record: _Record, size: int) -> None:
        """A record came, with a text of that size."""
        self._held.append((record, size))
        self._grow(1, size)

    def close(self) -> tuple[list[_Record | tuple[datetime, str]], LeftOut]:
        """The last lines and records, at most LINES of them, and how much came before; it is empty then."""
        lines: list[_Record | tuple[datetime, str]] = []
        splitter, at = LineSplitter(), None
        for held in self._held:
            if not isinstance(held, _Printed):
                lines.append(held[0])
                continue
            at, data = held.at, held.data
            if self._is_cut:
                dropped, _, data = data.partition(b"\n")
                self._gone_lines, self._gone_size = self._gone_lines + 1, self._gone_size + len(dropped) + 1
                self._is_cut = False
            lines += [(at, text) for text in splitter.feed(data)]
        if at is not None:
            lines += [(at, text) for text in splitter.close()]
        for line in lines[:-LINES]:
            self._gone_lines += 1
            self._gone_size += len(line[1]) + 1 if isinstance(line, tuple) else 0
        left_out = LeftOut(self._gone_lines, self._gone_size)
        self._held.clear()
        self._lines = self._size = self._gone_lines = self._gone_size = 0
        self._is_cut = False
        return lines[-LINES:], left_out

    def _grow(self, lines: int, size: int) -> None:
        self._lines += lines
        self._size += size
        while len(self._held) > 1:
            first = self._held[0]
            its_lines, its_size = (first.lines, len(first.data)) if isinstance(first, _Printed) else (1, first[1])
            # One more than is shown, for the first that is left may be half a line.
            if self._lines - its_lines <= LINES and self._size <= _MOST_BYTES:
                return
            self._held.popleft()
            if isinstance(first, _Printed):
                self._is_cut = not first.data.endswith(b"\n")
            self._lines, self._size = self._lines - its_lines, self._size - its_size
            self._gone_lines, self._gone_size = self._gone_lines + its_lines, self._gone_size + its_size
