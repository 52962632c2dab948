"""Bytes that a process wrote, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE_BYTES = 64 * 1024


class LineSplitter:
    """Cuts a stream of bytes into lines, however it arrives; a line over 64 kB is split.

    Bytes that are not UTF-8 are shown as escapes (`\\\\xff`), never dropped.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that are complete with `data`, without their line ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from _pieces(line)
        while len(self._rest) > MAX_LINE_BYTES:
            piece, self._rest = self._rest[:MAX_LINE_BYTES], self._rest[MAX_LINE_BYTES:]
            yield _text(piece)

    def close(self) -> Iterator[str]:
        """What is left: a last line without an end."""
        if self._rest:
            yield from _pieces(self._rest)
        self._rest = b""


def _pieces(line: bytes) -> Iterator[str]:
    for start in range(0, max(len(line), 1), MAX_LINE_BYTES):
        yield _text(line[start : start + MAX_LINE_BYTES])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").rstrip("\r").replace("\0", "\\x00")
