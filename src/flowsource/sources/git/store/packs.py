"""The objects of a pack, one after the other as it arrives, each inflated once."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from dulwich.errors import ApplyDeltaError
from dulwich.object_format import SHA1
from dulwich.pack import OFS_DELTA, REF_DELTA, apply_delta, pack_object_header

from flowsource.errors import UnsafeTree
from flowsource.sources.git.limits import LARGEST_FILE, LARGEST_PACK
from flowsource.sources.limits import MOST_BYTES, MOST_ENTRIES

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

KINDS: Final = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}

# The header of an object, and as much of its content as two numbers at the beginning may take.
HEADER_ROOM: Final = 4096
_LONGEST_HEADER: Final = 64
_BESIDE_ENTRIES = 100  # the commit, its tree, and the tags that lead to it
_CHUNK = 1 << 16

# An object that is larger when it is inflated is given out in pieces.
LARGE: Final = 16 << 20


def new_hash(id_size: int, data: bytes = b"") -> Hash:
    """What ids of that size are made with, begun with `data`."""
    return hashlib.sha256(data) if id_size == 32 else hashlib.sha1(data)


class Header(NamedTuple):
    """The beginning of an object in a pack.

    `kind` is a number of Git's. `stored` is what its stream inflates to, which for a delta is not the object, and
    `length` is where that begins. `base` is the id that a delta names, or how many bytes before it its base is.
    """

    kind: int
    stored: int
    length: int
    base: bytes | int | None = None


def parse_header(data: bytes, at: int, id_size: int) -> Header:
    """The header that begins at `at`; raises IndexError where it does not end. `id_size` is that of an id in bytes."""
    begin = at
    byte = data[at]
    at += 1
    kind, stored, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 0x80:
        byte = data[at]
        at += 1
        stored |= (byte & 0x7F) << shift
        shift += 7
    base: bytes | int | None = None
    if kind == OFS_DELTA:
        byte = data[at]
        at += 1
        base = byte & 0x7F
        while byte & 0x80:
            byte = data[at]
            at += 1
            base = ((base + 1) << 7) | (byte & 0x7F)
    elif kind == REF_DELTA:
        base, at = data[at : at + id_size], at + id_size
        if at > len(data):
            raise IndexError("the header does not end")
    elif kind not in KINDS:
        raise ValueError(f"an object is of kind {kind}, which there is not")
    return Header(kind, stored, at - begin, base)


def packed_object(kind: str, data: bytes) -> bytes:
    """An object as a pack has it, not a delta."""
    number = next(number for number, name in KINDS.items() if name == kind)
    return bytes(pack_object_header(number, None, len(data), SHA1)) + zlib.compress(data, 1)


def size_at(data: bytes, id_size: int) -> int:
    """How large the object at the beginning of `data` is, deltas applied; raises IndexError or zlib.error for none."""
    header = parse_header(data, 0, id_size)
    if header.base is None:
        return header.stored
    return delta_size(zlib.decompressobj().decompress(data[header.length :], 32))


def delta_size(delta: bytes) -> int:
    """How large what a delta makes will be, told from its beginning."""
    _, place = _number(delta, 0)
    size, _ = _number(delta, place)
    return size


def undeltified(base: bytes, delta: bytes) -> bytes:
    """What `delta` makes of `base`; raises ValueError where it is not made for that."""
    try:
        return b"".join(apply_delta(base, delta))
    except ApplyDeltaError as error:
        raise ValueError(str(error)) from error


class Found(NamedTuple):
    """An object of a pack, at `offset`. The last piece of a large one comes with `is_last`."""

    offset: int
    header: Header
    data: bytes
    crc32: int
    is_last: bool = True


class PackReader:
    """Takes a pack in whatever pieces, and gives out its objects in their order.

    Raises UnsafeTree naming the limit for one that holds too much, before it is inflated; ValueError, IndexError or
    zlib.error for what is no pack. `where` is who sends it.
    """

    def __init__(self, where: str, *, id_size: int) -> None:
        self._where, self._id_size = where, id_size
        self._rest = b""
        # Where in the pack the rest begins.
        self._offset = self._received = self._total = 0
        # How many objects there are, and how many of them are still to come.
        self._count: int | None = None
        self._left: int | None = None
        self._stream: _Stream | None = None

    @property
    def received(self) -> int:
        """Bytes so far."""
        return self._received

    @property
    def total(self) -> int | None:
        """How many objects there are in all, once that was said."""
        return self._count

    def feed(self, data: bytes) -> Iterator[Found]:
        """The objects that end in the next bytes of the pack, and pieces of a large one."""
        self._received += len(data)
        if self._received > LARGEST_PACK:
            raise self._too_much(f"sends more than {LARGEST_PACK >> 30} GiB for one commit")
        data, at = self._rest + data if self._rest else data, 0
        if self._left is None:
            if len(data) < 12:
                self._rest = data
                return
            self._begin(data)
            at = 12
        end = len(data)
        while self._left and at < end:
            if (stream := self._stream) is None:
                if (header := self._header(data, at)) is None:
                    break
                if (whole := _whole(data, at, header, self._offset + at)) is not None:
                    found, used = whole
                    at, self._left = at + used, self._left - 1
                    yield found
                else:
                    length = header.length
                    self._stream = _Stream(self._offset + at, header, zlib.crc32(data[at : at + length]))
                    at += length
                continue
            at += stream.inflate(data, at)
            if (piece := stream.take()) is not None:
                yield piece
            if stream.is_done:
                self._stream, self._left = None, self._left - 1
        self._offset += at
        self._rest = data[at:]

    def finish(self) -> bytes:
        """The checksum at its end, once all was fed; raises ValueError where the pack ends elsewhere."""
        if self._left != 0 or len(self._rest) < self._id_size:
            raise ValueError("the pack ends in the middle")
        if len(self._rest) > self._id_size:
            raise ValueError("the pack goes on after its end")
        return self._rest

    def _begin(self, head: bytes) -> None:
        if head[:4] != b"PACK" or head[4:8] not in (b"\0\0\0\2", b"\0\0\0\3"):
            raise ValueError("it does not begin as a pack does")
        self._count = self._left = int.from_bytes(head[8:12])
        if self._left > MOST_ENTRIES + _BESIDE_ENTRIES:
            raise self._too_much(f"sends {self._left:,} objects for one commit, more than {MOST_ENTRIES:,}")

    def _header(self, data: bytes, at: int) -> Header | None:
        """The header of the next object, or None where that has not all come."""
        try:
            header = parse_header(data, at, self._id_size)
        except IndexError:
            if len(data) - at > _LONGEST_HEADER:
                raise
            return None
        # A delta that is large itself would be held in memory too, whatever comes of it.
        if header.stored > LARGEST_FILE:
            raise self._too_much(f"holds a file of more than {LARGEST_FILE >> 20} MiB")
        self._total += header.stored
        if self._total > MOST_BYTES:
            raise self._too_much(f"holds files of more than {MOST_BYTES >> 30} GiB in all")
        return header

    def _too_much(self, what: str) -> UnsafeTree:
        return UnsafeTree(f"{self._where} {what}, which is more than is served; make the repository smaller.")


def _whole(data: bytes, at: int, header: Header, offset: int) -> tuple[Found, int] | None:
    """The object that begins at `at` and how long it is there, if it is small and all of it has come.

    Most are so, and for those a stream that goes on where it stopped is more than is needed.
    """
    size = header.stored
    if size > _CHUNK:
        return None
    begin = at + header.length
    offered = data[begin : begin + size + (size >> 10) + 128]
    inflater = zlib.decompressobj()
    content = inflater.decompress(offered, size + 1)
    if not inflater.eof:
        return None
    if len(content) != size:
        raise ValueError("an object is not as long as its header says")
    used = header.length + len(offered) - len(inflater.unused_data)
    return Found(offset, header, content, zlib.crc32(data[at : at + used])), used


class _Stream:
    """The deflated stream of one object, as it comes."""

    def __init__(self, offset: int, header: Header, crc32: int) -> None:
        self._offset, self._header, self._crc32 = offset, header, crc32
        self._inflater = zlib.decompressobj()
        self._to_come = header.stored
        self._parts: list[bytes] = []
        self._is_in_pieces = header.stored > LARGE and header.base is None
        self._gathered = 0
        self.is_done = False

    def inflate(self, data: bytes, at: int) -> int:
        """Inflate what is in `data` from `at` on; how many of its bytes belonged to the stream."""
        # What lies behind the end of the stream is copied, so not much more than what may belong to it is offered.
        most = self._to_come + (self._to_come >> 10) + 128
        offered = data[at : at + min(most, _CHUNK if self._is_in_pieces else most)]
        part = self._inflater.decompress(offered, self._to_come + 1)
        used = len(offered) - len(self._inflater.unused_data) - len(self._inflater.unconsumed_tail)
        self._to_come -= len(part)
        if self._to_come < 0 or (self._inflater.eof and self._to_come):
            raise ValueError("an object is not as long as its header says")
        if not used and not self._inflater.eof:
            raise ValueError("an object does not end where it should")
        self._crc32 = zlib.crc32(offered[:used] if used < len(offered) else offered, self._crc32)
        self._parts.append(part)
        self._gathered += len(part)
        self.is_done = self._inflater.eof
        return used

    def take(self) -> Found | None:
        """The object once it is whole; of a large one a piece now and then."""
        if not (self.is_done or (self._is_in_pieces and self._gathered > _CHUNK)):
            return None
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._gathered = [], 0
        return Found(self._offset, self._header, data, self._crc32, self.is_done)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """The number of seven bits a byte that begins at `at`, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at
