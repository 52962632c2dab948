"""What the objects of a pack will be once they are unpacked, told from their headers alone."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from dulwich.pack import OFS_DELTA, REF_DELTA

from flowsource.errors import UnsafeTree
from flowsource.sources.git.limits import LARGEST_FILE, LARGEST_PACK
from flowsource.sources.limits import MOST_BYTES, MOST_ENTRIES

# The header of an object, and as much of its content as two numbers at the beginning may take.
HEADER_ROOM: Final = 4096
_CHUNK = 1 << 16
_BESIDE_ENTRIES = 100  # the commit, its tree, and the tags that lead to it


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of an object in a pack. `size` is what it will be, deltas applied.

    `stored` is what its stream inflates to, which for a delta is something else, and `length` is where that begins.
    """

    size: int
    stored: int
    length: int


def read_header(data: bytes, id_size: int) -> Header:
    """The header at the beginning of `data`; raises IndexError or zlib.error for what is none.

    `id_size` is the length of an object id in bytes.
    """
    kind, at = data[0] >> 4 & 7, 1
    stored = data[0] & 15
    while data[at - 1] & 0x80:
        stored |= (data[at] & 0x7F) << (7 * at - 3)
        at += 1
    if kind == OFS_DELTA:
        while data[at] & 0x80:
            at += 1
        at += 1
    elif kind == REF_DELTA:
        at += id_size
    else:
        return Header(stored, stored, at)
    delta = zlib.decompressobj().decompress(data[at:], 32)
    _, place = _number(delta, 0)
    size, _ = _number(delta, place)
    return Header(size, stored, at)


class PackMeter:
    """Measures a pack as it arrives, so that one that would unpack to too much is refused before anything of it is.

    What else may be wrong with a pack shows when it is stored. Raises UnsafeTree naming the limit, and ValueError,
    IndexError or zlib.error for what is no pack.
    """

    def __init__(self, where: str, *, id_size: int) -> None:
        self._where, self._id_size = where, id_size
        self._pending = bytearray()
        self._received = self._total = 0
        # How many objects are still to come, once that was said.
        self._left: int | None = None
        self._stream: _Stream | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the pack into account."""
        self._received += len(data)
        if self._received > LARGEST_PACK:
            raise self._too_much(f"sends more than {LARGEST_PACK >> 30} GiB for one commit")
        self._pending += data
        self._measure(whole=False)

    def finish(self) -> None:
        """Say that all of it was fed, if there was one."""
        self._measure(whole=True)
        if self._received and self._left != 0:
            raise ValueError("the pack ends in the middle")

    def _measure(self, *, whole: bool) -> None:
        at = 0
        while self._left != 0 and (used := self._step(at, whole=whole)) is not None:
            at += used
        # Once for all of the steps: each cut moves everything behind it.
        del self._pending[: at if self._left != 0 else len(self._pending)]

    def _step(self, at: int, *, whole: bool) -> int | None:
        """Measure what begins at `at`; how many bytes that used, or None when more are needed."""
        there = len(self._pending) - at
        if self._stream is not None:
            return self._inflate(self._stream, at) if there else None
        if self._left is None:
            return self._begin(bytes(self._pending[:12])) if there >= 12 else None
        return self._begin_object(at) if there >= HEADER_ROOM or (whole and there) else None

    def _begin(self, head: bytes) -> int:
        if head[:4] != b"PACK":
            raise ValueError("it does not begin as a pack does")
        self._left = int.from_bytes(head[8:])
        if self._left > MOST_ENTRIES + _BESIDE_ENTRIES:
            raise self._too_much(f"sends {self._left:,} objects for one commit, more than {MOST_ENTRIES:,}")
        return len(head)

    def _begin_object(self, at: int) -> int:
        header = read_header(bytes(self._pending[at : at + HEADER_ROOM]), self._id_size)
        # A delta that is large itself would be held in memory too, whatever comes of it.
        if max(header.size, header.stored) > LARGEST_FILE:
            raise self._too_much(f"holds a file of more than {LARGEST_FILE >> 20} MiB")
        self._total += header.size
        if self._total > MOST_BYTES:
            raise self._too_much(f"holds files of more than {MOST_BYTES >> 30} GiB in all")
        self._stream = _Stream(header.stored)
        return header.length

    def _inflate(self, stream: _Stream, at: int) -> int:
        used = stream.read(bytes(self._pending[at : at + stream.likely_length]))
        if stream.is_done and self._left is not None:
            self._stream, self._left = None, self._left - 1
        return used

    def _too_much(self, what: str) -> UnsafeTree:
        return UnsafeTree(f"{self._where} {what}, which is more than is served; make the repository smaller.")


class _Stream:
    """A deflated stream that is to inflate to `size` bytes, of which none is kept."""

    def __init__(self, size: int) -> None:
        self._to_come = size
        self._inflater = zlib.decompressobj()

    @property
    def likely_length(self) -> int:
        """How many bytes to offer: what lies behind the end of the stream is copied each time, so not many more."""
        return min(_CHUNK, self._to_come + 128)

    @property
    def is_done(self) -> bool:
        return self._inflater.eof

    def read(self, data: bytes) -> int:
        """Inflate some of `data`; how many bytes of it belonged to the stream and are done with."""
        self._to_come -= len(self._inflater.decompress(data, _CHUNK))
        if self._to_come < 0:
            raise ValueError("an object is longer than its header says")
        return len(data) - len(self._inflater.unused_data if self.is_done else self._inflater.unconsumed_tail)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """The number of seven bits a byte that begins at `at`, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at
