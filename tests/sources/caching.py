"""What a cache takes of a source."""

from __future__ import annotations

from pathlib import Path

from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source


async def newest(cache: SnapshotCache, source: Source) -> Snapshot:
    """The snapshot of the current revision."""
    return await cache.ensure(source, await source.resolve())


def published(cache: SnapshotCache) -> list[Path]:
    """The marks of all snapshots that are complete."""
    return list(cache.root.glob("sources/*/snapshots/*/complete"))
