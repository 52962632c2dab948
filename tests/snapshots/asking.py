"""Asks a cache for one revision, whose fetch lasts until the file `go` is there; run as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from flowsource.snapshots.cache import SnapshotCache
from tests.snapshots.written import ONE, WrittenSource
from tests.support.waiting import until


async def main(root: Path) -> None:
    print("asking", flush=True)

    async def wait_for_go(_: Path) -> None:
        await until((root / "go").exists)

    print((await SnapshotCache(root).ensure(WrittenSource(then=wait_for_go), ONE)).root)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
