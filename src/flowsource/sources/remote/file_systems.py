"""Any file system of fsspec as a store."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import unquote

import anyio
from anyio import CapacityLimiter, to_thread

from flowsource.errors import SourceError, SourceInvalid, SourceMissing
from flowsource.sources.remote.address import Address
from flowsource.sources.remote.bounded import for_each
from flowsource.sources.remote.failures import as_source_error, is_change
from flowsource.sources.remote.listing import Item, stamp_of
from flowsource.sources.remote.stores import LISTING, REQUEST, ObjectChanged, check_count, single_object

_Result = TypeVar("_Result")

_AT_ONCE: Final = 16
# Some libraries wait for ever. What they hold then is no more than so many threads.
_THREADS: Final = 4


class FsspecStore:
    """A place of which no more is known than that fsspec lists it and reads from it.

    What is read is not pinned to the state that was listed: whoever reads must list again afterwards.
    """

    def __init__(self, file_system: Any, address: Address) -> None:
        self._fs, self._address, self._where = file_system, address, address.url
        self._root = str(file_system._strip_protocol(address.url)).rstrip("/")
        self._threads = CapacityLimiter(_THREADS)
        self.has_failed = False

    @property
    def at_once(self) -> int:
        # One that blocks is asked by one thread: few of them promise more.
        return _AT_ONCE if self._fs.async_impl else 1

    async def items(self) -> list[Item]:
        try:
            with anyio.fail_after(LISTING):
                self._fs.invalidate_cache()
                found: Mapping[str, Mapping[str, Any]] = await self._call("find", self._root, detail=True)
                items = await self._described(found)
        except Exception as error:
            # Each of these libraries has exceptions of its own, which `failures` knows by name; so it is below.
            raise self._failed(error) from None
        if not items:
            raise SourceMissing(f"nothing is at {self._where}. Correct the address, or put the files there.")
        check_count(items, self._where)
        return items

    async def read(self, item: Item, start: int, end: int) -> bytes:
        # Not every server gives a part of a file, so a whole one is asked for as such.
        part = {} if (start, end) == (0, item.size) else {"start": start, "end": end}
        try:
            with anyio.fail_after(REQUEST):
                return bytes(await self._call("cat_file", item.name, **part))
        except Exception as error:
            if is_change(error):
                raise ObjectChanged from None
            raise self._failed(error) from None

    async def _described(self, found: Mapping[str, Mapping[str, Any]]) -> list[Item]:
        items: list[Item] = []
        inside = f"{self._root}/"

        async def describe(name: str) -> None:
            facts = found[name]
            if facts.get("size") is None or not stamp_of(facts):
                facts = await self._call("info", name)
            items.append(self._item(name, name.removeprefix(inside), facts))

        if self._root in found:
            raise single_object(self._where)
        # What lies beside the place has a name that begins like it.
        await for_each([name for name in found if name.startswith(inside)], describe, at_once=self.at_once)
        return items

    def _item(self, name: str, path: str, facts: Mapping[str, Any]) -> Item:
        if self._address.protocol in ("http", "https"):
            path = unquote(path)
        size, stamp = facts.get("size"), stamp_of(facts)
        if size is None or not stamp:
            raise SourceInvalid(
                f"{self._where} does not tell when {path!a} changes: no version, ETag or time, or no size. Serve the "
                "files from a place that does."
            )
        return Item(path, int(size), stamp, str(facts.get("type", "file")), name)

    def _failed(self, error: Exception) -> SourceError:
        self.has_failed = True
        return as_source_error(error, where=self._where)

    async def _call(self, method: str, *args: Any, **options: Any) -> Any:
        if self._fs.async_impl:
            return await on_its_loop(self._fs, getattr(self._fs, f"_{method}")(*args, **options))
        work = partial(getattr(self._fs, method), *args, **options)
        return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)


async def on_its_loop(file_system: Any, work: Coroutine[Any, Any, _Result]) -> _Result:
    """What `work` gives, done by the event loop that fsspec keeps for it; cancelled there when it is cancelled here."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, file_system.loop))
