"""Log records among what a process prints: each stands in its output, at its place, behind a mark that nobody guesses.

A record is a line of JSON behind the mark, written at once and short enough for the kernel not to mix it with what
other processes and threads write to the same pipe. A longer one comes in several pieces. That keeps records and prints
in one order, also those of processes that a flow forks.
"""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from secrets import token_bytes
from typing import Any

# What a pipe takes as one piece, whoever else writes (POSIX has 512, Linux 4096; see pipe(7)).
_ATOMIC = select.PIPE_BUF
_MARK_BYTES = 17
_WHOLE, _FIRST, _NEXT, _LAST = b"=", b"<", b"-", b">"
# More than a record can have, with room for its escapes.
_MOST_BYTES = 1024 * 1024
_MOST_WRITERS = 64


def new_mark() -> bytes:
    """A mark for one process. It begins with NUL, which no JSON has."""
    return b"\0" + token_bytes(_MARK_BYTES - 1)


def marked(record: dict[str, Any], mark: bytes) -> list[bytes]:
    """`record` as what is to be written, each piece at once; raises what `json.dumps` does for what is not JSON."""
    body = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    if len(mark) + len(body) + 2 <= _ATOMIC:
        return [b"%b%b%b\n" % (mark, _WHOLE, body)]
    writer = b"%d " % os.getpid()
    room = _ATOMIC - len(mark) - len(writer) - 2
    parts = [body[start : start + room] for start in range(0, len(body), room)]
    kinds = [_FIRST, *[_NEXT] * (len(parts) - 2), _LAST]
    return [b"%b%b%b%b\n" % (mark, kind, writer, part) for kind, part in zip(kinds, parts, strict=True)]


class MarkedOutput:
    """Tells the records in a stream of output from what was printed, however the stream is cut."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._cut_off = b""
        # Pieces of records that are not complete, by the process that writes them.
        self._begun: dict[bytes, bytes] = {}

    def feed(self, data: bytes) -> Iterator[bytes | dict[str, Any]]:
        """Printed bytes and records, in order. What looks like a record and is none is passed over."""
        printed, *behind_marks = (self._cut_off + data).split(self._mark)
        self._cut_off = b""
        for place, text in enumerate(behind_marks, start=1):
            if printed:
                yield printed
            piece, end, printed = text.partition(b"\n")
            if not end and place == len(behind_marks) and len(piece) < _ATOMIC:
                self._cut_off = self._mark + piece
                return
            if (record := self._record(piece)) is not None:
                yield record
        end_at = len(printed) - _length_of_start(self._mark, at_end_of=printed)
        if end_at:
            yield printed[:end_at]
        self._cut_off = printed[end_at:]

    def close(self) -> bytes:
        """What is left when nothing more comes."""
        rest, self._cut_off = self._cut_off, b""
        return rest

    def _record(self, piece: bytes) -> dict[str, Any] | None:
        kind, body = piece[:1], piece[1:]
        if kind != _WHOLE:
            writer, _, part = body.partition(b" ")
            body = part if kind == _FIRST else self._begun.pop(writer, b"") + part
            if kind != _LAST:
                if len(body) <= _MOST_BYTES and (writer in self._begun or len(self._begun) < _MOST_WRITERS):
                    self._begun[writer] = body
                return None
        try:
            record = json.loads(body)
        except ValueError:
            return None
        return record if isinstance(record, dict) else None


def _length_of_start(mark: bytes, *, at_end_of: bytes) -> int:
    """How many bytes at the end may be the start of a mark of which the rest is still to come."""
    longest = min(len(mark) - 1, len(at_end_of))
    return next((length for length in range(longest, 0, -1) if at_end_of.endswith(mark[:length])), 0)
