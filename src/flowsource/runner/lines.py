"""Bytes that a process wrote, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE_BYTES = 64 * 1024


class LineSplitter:
    """Cuts a stream of bytes into lines, however it arrives; one over `longest` bytes is split between two characters.

    Bytes that are not UTF-8 are shown as escapes (`\\\\xff`), never dropped. `longest` is 4 or more.
    """

    def __init__(self, longest: int = MAX_LINE_BYTES) -> None:
        self._longest = longest
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that are complete with `data`, without their line ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from map(_text, self._pieces(line))
        *pieces, self._rest = self._pieces(self._rest)
        yield from map(_text, pieces)

    def close(self) -> Iterator[str]:
        """What is left: a last line without an end."""
        if self._rest:
            yield _text(self._rest)
        self._rest = b""

    def _pieces(self, line: bytes) -> Iterator[bytes]:
        """`line` in pieces that are not too long; an empty line is one piece."""
        start = 0
        while len(line) - start > self._longest:
            end = _boundary(line, start + self._longest)
            yield line[start:end]
            start = end
        yield line[start:]


def _boundary(line: bytes, limit: int) -> int:
    """The last place up to `limit` that is not inside a character; `limit` itself where there is no UTF-8."""
    # A character has three bytes after its first at most, and they alone begin with the bits 10.
    return next((place for place in range(limit, limit - 4, -1) if line[place] & 0xC0 != 0x80), limit)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").rstrip("\r").replace("\0", "\\x00")
