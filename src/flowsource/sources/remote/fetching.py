"""From objects to files: what an earlier snapshot has is taken over, the rest is read, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import anyio
from anyio import from_thread, to_thread

from flowsource.errors import SourceUnavailable
from flowsource.sources.base import Progress, Report
from flowsource.sources.remote.bounded import for_each
from flowsource.sources.remote.listing import Item, path_of
from flowsource.sources.remote.record import Digests
from flowsource.sources.remote.stores import ObjectChanged, Store
from flowsource.sources.writing import TreeWriter

# What of one object is in memory at a time.
_PIECE: Final = 4 << 20


class Fetching:
    """One revision on its way from `store` into the tree `into`.

    `digests` are those of objects whose content is known, and of those that were read since.
    """

    def __init__(self, store: Store, into: TreeWriter, digests: Digests, report: Report, *, total: int) -> None:
        self.digests = digests
        self._store, self._into, self._report, self._total = store, into, report, total
        self._received = self._done = 0
        self._writing = anyio.Lock()

    async def write(self, items: Sequence[Item]) -> list[Item]:
        """Write what is in `items`; those that were not what the listing told of them are left, and returned."""
        changed: list[Item] = []

        async def read(item: Item) -> None:
            try:
                await self._read(item)
            except ObjectChanged:
                changed.append(item)

        left = await to_thread.run_sync(self._take_over, items)
        await for_each(left, read, at_once=self._store.at_once)
        return changed

    def _take_over(self, items: Sequence[Item]) -> list[Item]:
        left = []
        for item in items:
            from_thread.check_cancelled()
            digest = self.digests.get(item)
            if item.is_marker:
                self._into.add_directory(path_of(item))
            elif digest is None or not self._into.take_over(path_of(item), digest=digest):
                left.append(item)
                continue
            self._note(done=1)
        return left

    async def _read(self, item: Item) -> None:
        if item.size > _PIECE:
            # Straight to disk, so that nobody else writes meanwhile.
            content: bytes | Iterator[bytes] = self._pieces(item)
        else:
            content = await self._piece(item, 0, item.size)
        async with self._writing:
            digest = await to_thread.run_sync(self._into.add_file, path_of(item), content)
        self.digests[item] = digest
        self._note(done=1)

    def _pieces(self, item: Item) -> Iterator[bytes]:
        """The content of a large object, read by the thread that writes it."""
        for start in range(0, item.size, _PIECE):
            try:
                yield from_thread.run(partial(self._piece, item, start, min(start + _PIECE, item.size)))
            except ObjectChanged:
                raise SourceUnavailable(f"{item.path!a} was replaced while it was read. It is tried again.") from None

    async def _piece(self, item: Item, start: int, end: int) -> bytes:
        data = await self._store.read(item, start, end) if end > start else b""
        if len(data) != end - start:
            raise ObjectChanged
        self._note(received=len(data))
        return data

    def _note(self, *, received: int = 0, done: int = 0) -> None:
        self._received, self._done = self._received + received, self._done + done
        self._report(Progress(self._received, self._done, self._total))
