"""Bytes that a process wrote, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE_BYTES = 64 * 1024


class LineSplitter:
    """Cuts a stream of bytes into lines, however it arrives; one over `longest` bytes is split between two characters.

    Bytes that are not UTF-8 are shown as escapes (`\\\\xff`), never dropped. What a carriage return takes back, as
    progress bars do, is not kept: of such a line there is what a terminal would show in the end. `longest` is 4 or
    more.
    """

    def __init__(self, longest: int = MAX_LINE_BYTES) -> None:
        self._longest = longest
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete with `data`, without their line ends."""
        if b"\n" in data:
            whole, _, self._rest = (self._rest + data).rpartition(b"\n")
            lines = self._lines(whole)
        else:
            self._rest += data
            lines = []
        if len(self._rest) > self._longest or b"\r" in self._rest:
            # Ends in \r: whether that takes the line back is told by what comes next.
            end = b"\r" if self._rest.endswith(b"\r") else b""
            *pieces, rest = self._pieces(self._rest)
            self._rest = rest + end
            lines += map(_text, pieces)
        return lines

    def take_rest(self) -> bytes:
        """What came of a line that is not complete; it is forgotten here."""
        rest, self._rest = self._rest, b""
        return rest

    def close(self) -> list[str]:
        """What is left: a last line without an end."""
        rest = self.take_rest()
        return self._lines(rest) if rest else []

    def _lines(self, data: bytes) -> list[str]:
        lines = data.split(b"\n")
        if b"\r" not in data and max(map(len, lines)) <= self._longest:
            # Decoded together, which costs a fraction: a line end is no part of any character.
            return _text(data).split("\n")
        return [_text(piece) for line in lines for piece in self._pieces(line)]

    def _pieces(self, line: bytes) -> Iterator[bytes]:
        """`line` in pieces that are not too long; an empty line is one piece."""
        *taken_back, last = [state for state in line.split(b"\r") if state] or [b""]
        for state in taken_back:
            # What was too long to wait for was told before anybody could know that it is taken back.
            yield from list(self._cut(state))[:-1]
        yield from self._cut(last)

    def _cut(self, line: bytes) -> Iterator[bytes]:
        start = 0
        while len(line) - start > self._longest:
            end = _boundary(line, start + self._longest)
            yield line[start:end]
            start = end
        yield line[start:]


def storable(text: str) -> str:
    """`text` as every database takes it: NUL, and what is no Unicode, as escapes."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _boundary(line: bytes, limit: int) -> int:
    """The last place up to `limit` that is not inside a character; `limit` itself where there is no UTF-8."""
    # A character has three bytes after its first at most, and they alone begin with the bits 10.
    return next((place for place in range(limit, limit - 4, -1) if line[place] & 0xC0 != 0x80), limit)


def _text(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return text.replace("\0", "\\x00") if "\0" in text else text
