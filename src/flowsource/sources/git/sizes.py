"""How large the objects of a store are, told without unpacking them."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from typing import Final, cast

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from flowsource.sources.git.packs import HEADER_ROOM, read_header

_LOOSE_HEADER_ROOM: Final = 64


class Sizes:
    """The sizes of the objects that are in `store` now."""

    def __init__(self, store: DiskObjectStore) -> None:
        self._directory = store.path
        # Listed once: dulwich looks for new ones whenever it is asked.
        self._packs = store.packs
        self._alternates = [Sizes(cast(DiskObjectStore, alternate)) for alternate in store.alternates]

    def __getitem__(self, object_id: ObjectID) -> int:
        """Bytes of content; raises KeyError for an object that is not there, and anything for one that is damaged."""
        for pack in self._packs:
            with suppress(KeyError):
                offset = pack.index.object_offset(object_id)
                return read_header(_read_at(pack.data.path, offset), len(object_id) // 2).size
        name = object_id.decode("ascii")
        with suppress(FileNotFoundError):
            return _loose_size(_read_at(os.path.join(self._directory, name[:2], name[2:]), 0))
        for alternate in self._alternates:
            with suppress(KeyError):
                return alternate[object_id]
        raise KeyError(object_id)


def _read_at(path: str | os.PathLike[str], offset: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, HEADER_ROOM, offset)
    finally:
        os.close(descriptor)


def _loose_size(data: bytes) -> int:
    """The size in the header of a loose object, such as `blob 17` and a NUL."""
    header = zlib.decompressobj().decompress(data, _LOOSE_HEADER_ROOM)
    return int(header.partition(b"\0")[0].partition(b" ")[2])
