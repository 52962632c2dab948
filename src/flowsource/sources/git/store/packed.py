"""What dulwich does not tell of the objects of a store: their sizes, and large ones piece by piece."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, cast

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from flowsource.sources.git.store.packs import HEADER_ROOM, parse_header, size_at

_LOOSE_HEADER_ROOM: Final = 64
_PIECE: Final = 1 << 18

_Path = str | os.PathLike[str]


class Packed:
    """The objects that are in `store` now, told without unpacking them."""

    def __init__(self, store: DiskObjectStore) -> None:
        self._directory = store.path
        # Listed once: dulwich looks for new ones whenever it is asked.
        self._packs = store.packs
        self._alternates = [Packed(cast(DiskObjectStore, alternate)) for alternate in store.alternates]

    def size(self, object_id: ObjectID) -> int:
        """Bytes of content; raises KeyError for an object that is not there, and anything for one that is damaged."""
        if (place := self._place(object_id)) is not None:
            return size_at(_read_at(*place), len(object_id) // 2)
        name = object_id.decode("ascii")
        with suppress(FileNotFoundError):
            return _loose_size(_read_at(os.path.join(self._directory, name[:2], name[2:]), 0))
        for alternate in self._alternates:
            with suppress(KeyError):  # It is in another one, if anywhere.
                return alternate.size(object_id)
        raise KeyError(object_id)

    def pieces(self, object_id: ObjectID) -> Iterator[bytes] | None:
        """The content of an object, piece by piece; None for one that is not in a pack, or is a delta there.

        Raises OSError or zlib.error on the way.
        """
        if (place := self._place(object_id)) is None:
            return None
        path, offset = place
        header = parse_header(_read_at(path, offset), 0, len(object_id) // 2)
        return _inflated(path, offset + header.length) if header.base is None else None

    def _place(self, object_id: ObjectID) -> tuple[_Path, int] | None:
        for pack in self._packs:
            with suppress(KeyError):  # It is in another one, if anywhere.
                return pack.data.path, pack.index.object_offset(object_id)
        return None


def _read_at(path: _Path, offset: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, HEADER_ROOM, offset)
    finally:
        os.close(descriptor)


def _inflated(path: _Path, offset: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    with open(path, "rb") as file:
        file.seek(offset)
        while not inflater.eof and (data := file.read(_PIECE)):
            while data and not inflater.eof:
                yield inflater.decompress(data, _PIECE)
                data = inflater.unconsumed_tail


def _loose_size(data: bytes) -> int:
    """The size in the header of a loose object, such as `blob 17` and a NUL."""
    header = zlib.decompressobj().decompress(data, _LOOSE_HEADER_ROOM)
    return int(header.partition(b"\0")[0].partition(b" ")[2])
