"""S3, with each read pinned to the state that was listed."""

from __future__ import annotations

from typing import Any, Final

import anyio

from flowsource.errors import SourceError, SourceMissing
from flowsource.sources.remote.address import Address
from flowsource.sources.remote.failures import as_source_error, is_change
from flowsource.sources.remote.file_systems import on_its_loop
from flowsource.sources.remote.listing import Item, stamp_of
from flowsource.sources.remote.stores import REQUEST, ObjectChanged, check_count, single_object

# As many connections there are: botocore has ten of them unless it is told.
AT_ONCE: Final = 32
_ETAG: Final = "ETag "


class S3Store:
    """A bucket, or a prefix in one, asked by way of s3fs.

    Its file system is passed by: that takes keys for paths, which `a//b` and `a/../b` do not survive, and cannot say
    which state of an object is to be read.
    """

    def __init__(self, file_system: Any, address: Address) -> None:
        self._fs, self._where = file_system, address.url
        self._bucket, key, _ = file_system.split_path(address.place)
        self._prefix = f"{key}/" if key else ""
        self.has_failed = False

    @property
    def at_once(self) -> int:
        return AT_ONCE

    async def items(self) -> list[Item]:
        items: list[Item] = []
        more: dict[str, str] = {}
        while True:
            page = await self._list(self._prefix, **more)
            items += [
                self._item(facts) for facts in page.get("Contents", ()) if facts["Key"] != self._prefix or facts["Size"]
            ]
            check_count(items, self._where)
            if not page.get("IsTruncated"):
                break
            more = {"ContinuationToken": page["NextContinuationToken"]}
        if not items:
            await self._explain_nothing()
        return items

    async def read(self, item: Item, start: int, end: int) -> bytes:
        wanted = {"Bucket": self._bucket, "Key": item.name}
        if item.stamp.startswith(_ETAG):
            wanted["IfMatch"] = item.stamp.removeprefix(_ETAG)
        if (start, end) != (0, item.size):
            wanted["Range"] = f"bytes={start}-{end - 1}"
        try:
            with anyio.fail_after(REQUEST):
                return await on_its_loop(self._fs, self._get(wanted, at_most=end - start))
        except Exception as error:
            # Those of botocore and aiohttp, which `failures` knows by name; so it is below.
            if is_change(error):
                raise ObjectChanged from None
            raise self._failed(error) from None

    async def _get(self, wanted: dict[str, str], *, at_most: int) -> bytes:
        answer = await self._fs._call_s3("get_object", **wanted)
        data = bytearray()
        async with answer["Body"] as body:
            # A server that sends more than it told of must not fill the memory; that it does is seen by the length.
            while len(data) <= at_most and (chunk := await body.read(at_most + 1 - len(data))):
                data += chunk
        return bytes(data)

    async def _list(self, prefix: str, **more: Any) -> dict[str, Any]:
        asked = self._fs._call_s3("list_objects_v2", Bucket=self._bucket, Prefix=prefix, **more)
        try:
            with anyio.fail_after(REQUEST):
                return await on_its_loop(self._fs, asked)
        except Exception as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> SourceError:
        self.has_failed = True
        return as_source_error(error, where=self._where)

    def _item(self, facts: dict[str, Any]) -> Item:
        key = facts["Key"]
        return Item(key.removeprefix(self._prefix), facts["Size"], stamp_of(facts), name=key)

    async def _explain_nothing(self) -> None:
        key = self._prefix.removesuffix("/")
        if key:
            page = await self._list(key, MaxKeys=1)
            if any(facts["Key"] == key for facts in page.get("Contents", ())):
                raise single_object(self._where)
        raise SourceMissing(f"nothing is at {self._where}. Correct the prefix, or put the files there.")
