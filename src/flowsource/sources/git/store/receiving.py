"""A pack on its way into a store: kept, named object by object, and indexed, with one look at each."""

from __future__ import annotations

import hashlib
import os
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dulwich.pack import write_pack_index_v2

from flowsource.errors import UnsafeTree
from flowsource.sources.base import Progress
from flowsource.sources.git.limits import LARGEST_FILE
from flowsource.sources.git.store.objects import Objects
from flowsource.sources.git.store.packs import (
    HEADER_ROOM,
    KINDS,
    LARGE,
    Found,
    Header,
    PackReader,
    delta_size,
    new_hash,
    packed_object,
    parse_header,
    undeltified,
)
from flowsource.sources.limits import MOST_BYTES

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

# What deltas build upon is held in memory up to here, and read again from the pack beyond.
_BASES: Final = 64 << 20
_READ: Final = 1 << 20
_DEEPEST_CHAIN: Final = 10_000
# What is made again, because it was not held any more, is made this often at most: a few bytes can ask for it for days.
_MOST_AGAIN: Final = 4 * MOST_BYTES

OnObject = Callable[[str, str, bytes | None], None]


class PackReceiver:
    """Receives one pack into the directory `packs` of a store, where it appears whole or not at all.

    `on_object` is called with kind, id and content of each object as it arrives; a large one comes without its
    content, and is in the store afterwards. Objects that are `known` need not be in the pack to be built upon: they
    are added to it, so that the pack is whole by itself. Use it as a context manager: leaving it removes what was not
    finished. Raises UnsafeTree, and ValueError, IndexError, KeyError or zlib.error for what is no whole pack.
    """

    def __init__(self, packs: Path, where: str, known: Objects, *, id_size: int, on_object: OnObject) -> None:
        self._packs, self._where, self._id_size, self._on_object = packs, where, id_size, on_object
        self._known = known
        self.reader = PackReader(where, id_size=id_size)
        self._path = packs / f"tmp_{uuid.uuid4().hex}"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._objects = _Named(id_size)
        self._bases = _Bases(self._file, where, self._objects.offsets, id_size)
        self._hash = _Held(new_hash(id_size), id_size)
        self._orphans: list[Found] = []
        # What deltas build upon and was not sent, by id.
        self._borrowed: dict[bytes, tuple[str, bytes]] = {}
        self._large: Hash | None = None
        self._total = 0

    def __enter__(self) -> PackReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        self._path.unlink(missing_ok=True)

    @property
    def progress(self) -> Progress:
        """How far it has come: bytes, and objects of how many."""
        return Progress(self.reader.received, len(self._objects.entries), self.reader.total)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the pack."""
        _write(self._file, data)
        self._hash.update(data)
        for found in self.reader.feed(data):
            if found.header.base is not None:
                self._apply(found)
            elif found.header.stored > LARGE:
                self._take_piece(found)
            else:
                self._take(found.offset, KINDS[found.header.kind], found.data, found.crc32)

    def finish(self) -> None:
        """Put the pack with its index into the store, once all of it was fed."""
        if not self.reader.received:
            # A server that finds that we have everything sends none.
            return
        checksum = self.reader.finish()
        if checksum != self._hash.digest():
            raise ValueError("the pack has other content than its checksum says")
        self._adopt_orphans()
        if self._borrowed:
            checksum = self._add_borrowed()
        entries = sorted(self._objects.entries)
        name = new_hash(self._id_size, b"".join(entry[0] for entry in entries)).hexdigest()
        index = self._path.with_suffix(".idx")
        try:
            with index.open("xb") as file:
                write_pack_index_v2(file, entries, checksum)
            self._path.chmod(0o400)
            self._path.rename(self._packs / f"pack-{name}.pack")
            # Last: an index is what makes a pack known.
            index.rename(self._packs / f"pack-{name}.idx")
        finally:
            index.unlink(missing_ok=True)

    def _take(self, offset: int, kind: str, data: bytes, crc32: int) -> None:
        object_id = self._objects.add(offset, kind, data, crc32)
        self._bases.keep(offset, kind, data)
        self._on_object(kind, object_id, data)

    def _take_piece(self, found: Found) -> None:
        kind = KINDS[found.header.kind]
        if self._large is None:
            self._large = new_hash(self._id_size, b"%s %d\0" % (kind.encode(), found.header.stored))
        self._large.update(found.data)
        if found.is_last:
            self._on_object(kind, self._objects.name(self._large.digest(), found.offset, found.crc32), None)
            self._large = None

    def _apply(self, found: Found) -> None:
        base = self._base_of(found)
        if base is None:
            # Its base may come later in the pack.
            self._orphans.append(Found(found.offset, found.header, b"", found.crc32))
            return
        kind, content = base
        size = delta_size(found.data)
        if size > LARGEST_FILE:
            raise self._too_much(f"a file of more than {LARGEST_FILE >> 20} MiB")
        self._total += size
        if self._total > MOST_BYTES:
            raise self._too_much(f"files of more than {MOST_BYTES >> 30} GiB in all")
        self._take(found.offset, kind, undeltified(content, found.data), found.crc32)

    def _adopt_orphans(self) -> None:
        while self._orphans:
            orphans, self._orphans = self._orphans, []
            for found in orphans:
                self._apply(Found(found.offset, found.header, self._bases.stored(found.offset), found.crc32))
            if len(self._orphans) == len(orphans):
                raise ValueError(f"{len(orphans)} objects build upon others that were not sent")

    def _base_of(self, found: Found) -> tuple[str, bytes] | None:
        """Kind and content of what a delta builds upon, or None where that is not there."""
        base = found.header.base
        assert base is not None
        if isinstance(base, int):
            return self._bases[found.offset - base]
        if (offset := self._objects.offsets.get(base)) is not None:
            return self._bases[offset]
        if base not in self._borrowed and self._known.has(base.hex()):
            self._borrowed[base] = self._known.any(base.hex())
        return self._borrowed.get(base)

    def _add_borrowed(self) -> bytes:
        """Write the objects that were built upon to the end of the pack, and return its new checksum."""
        end = os.lseek(self._file, -self._id_size, os.SEEK_END)
        count = 0
        for kind, data in self._borrowed.values():
            packed = packed_object(kind, data)
            self._objects.add(end, kind, data, zlib.crc32(packed))
            _write(self._file, packed)
            end, count = end + len(packed), count + 1
        total = int.from_bytes(os.pread(self._file, 4, 8)) + count
        os.pwrite(self._file, total.to_bytes(4), 8)
        os.ftruncate(self._file, end)
        with open(self._path, "rb") as file:
            checksum = hashlib.file_digest(file, lambda: new_hash(self._id_size)).digest()
        _write(self._file, checksum)
        return checksum

    def _too_much(self, what: str) -> UnsafeTree:
        return UnsafeTree(f"{self._where} holds {what}, which is more than is served; make the repository smaller.")


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


class _Named:
    """The objects of a pack by name: (id, offset, checksum) of each, as an index has them."""

    def __init__(self, id_size: int) -> None:
        self._id_size = id_size
        self.entries: list[tuple[bytes, int, int | None]] = []
        self.offsets: dict[bytes, int] = {}

    def add(self, offset: int, kind: str, data: bytes, crc32: int) -> str:
        digest = new_hash(self._id_size, b"%s %d\0" % (kind.encode(), len(data)))
        digest.update(data)
        return self.name(digest.digest(), offset, crc32)

    def name(self, object_id: bytes, offset: int, crc32: int) -> str:
        if object_id not in self.offsets:
            self.offsets[object_id] = offset
            self.entries.append((object_id, offset, crc32))
        return object_id.hex()


class _Held:
    """A hash of all but the last bytes, which are the hash itself."""

    def __init__(self, made: Hash, size: int) -> None:
        self._made, self._size, self._tail = made, size, b""

    def update(self, data: bytes) -> None:
        if len(data) < self._size:
            data, self._tail = self._tail + data, b""
        self._made.update(self._tail)
        self._made.update(memoryview(data)[: -self._size])
        self._tail = data[-self._size :]

    def digest(self) -> bytes:
        return self._made.digest()


class _Bases:
    """The objects of a pack by offset, for deltas to build upon: those of late from memory, the others from `file`."""

    def __init__(self, file: int, where: str, offsets: Mapping[bytes, int], id_size: int) -> None:
        self._file, self._where, self._offsets, self._id_size = file, where, offsets, id_size
        self._recent: OrderedDict[int, tuple[str, bytes]] = OrderedDict()
        self._size = self._again = 0

    def keep(self, offset: int, kind: str, data: bytes) -> None:
        self._recent[offset] = kind, data
        self._size += len(data)
        while self._size > _BASES:
            self._size -= len(self._recent.popitem(last=False)[1][1])

    def __getitem__(self, offset: int) -> tuple[str, bytes]:
        """Kind and content of what is at `offset`, all deltas applied."""
        # Where the deltas are, not what they say: together they may be far more than one of them.
        chain: list[int] = []
        while (found := self._recent.get(offset)) is None:
            header = self._header(offset)
            if header.base is None:
                found = KINDS[header.kind], self.stored(offset)
                break
            if len(chain) >= _DEEPEST_CHAIN:
                raise ValueError("deltas build upon one another without end")
            chain.append(offset)
            offset = self._offsets[header.base] if isinstance(header.base, bytes) else offset - header.base
        kind, content = found
        for place in reversed(chain):
            delta = self.stored(place)
            if delta_size(delta) > LARGEST_FILE:
                raise ValueError("a delta makes too much")
            self._count(delta_size(delta))
            content = undeltified(content, delta)
        return kind, content

    def stored(self, offset: int) -> bytes:
        """What the stream of the object at `offset` inflates to."""
        header = self._header(offset)
        self._count(header.stored)
        offset += header.length
        inflater, parts, size = zlib.decompressobj(), list[bytes](), 0
        while not inflater.eof and size <= header.stored and (data := os.pread(self._file, _READ, offset)):
            offset += len(data)
            parts.append(inflater.decompress(inflater.unconsumed_tail + data, header.stored + 1 - size))
            size += len(parts[-1])
        if size != header.stored:
            raise ValueError("an object is not as long as its header says")
        return b"".join(parts)

    def _header(self, offset: int) -> Header:
        if offset < 12:
            raise ValueError("a delta builds upon what is before the pack")
        return parse_header(os.pread(self._file, HEADER_ROOM, offset), 0, self._id_size)

    def _count(self, size: int) -> None:
        self._again += size
        if self._again > _MOST_AGAIN:
            raise UnsafeTree(
                f"{self._where} builds its objects upon one another beyond measure; repack the repository."
            )
