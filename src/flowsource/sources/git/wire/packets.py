"""The lines that version 2 of the protocol is made of: a request as they have it, and those of an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from dulwich.errors import GitProtocolError
from dulwich.protocol import pkt_line

_DELIMITER: Final = b"0001"
FLUSH: Final = b"0000"
_LONGEST_LINE: Final = 65520


class Body(Protocol):
    """The body of an answer, read as it comes."""

    def read(self, amt: int, /) -> bytes:
        """Exactly `amt` bytes, or fewer where the body ends."""


def request(command: str, arguments: Iterable[str], *, object_format: str) -> bytes:
    """A request as it is sent, to a server whose ids are made with `object_format`."""
    # sha1 need not be said, and a probe is to be small.
    said = [f"command={command}", *([f"object-format={object_format}"] if object_format != "sha1" else [])]
    return _lines(said) + _DELIMITER + _lines(arguments) + FLUSH


def read_line(answer: Body) -> bytes | None:
    """The next line, or None where a section ends; delimiters are passed. Raises GitProtocolError for what is none."""
    while True:
        head = answer.read(4)
        try:
            length = int(head, 16)
        except ValueError:
            raise GitProtocolError("the answer ends in the middle" if len(head) < 4 else "no line begins so") from None
        if length == 0:
            return None
        if length > _LONGEST_LINE:
            raise GitProtocolError("a line is longer than any may be")
        if length >= 4:
            data = answer.read(length - 4)
            if len(data) < length - 4:
                raise GitProtocolError("the answer ends in the middle")
            return data


def _lines(texts: Iterable[str]) -> bytes:
    # The name of a ref may be no UTF-8.
    return b"".join(pkt_line(f"{text}\n".encode(errors="surrogateescape")) for text in texts)
