"""Garbage: what may leave the cache, and how it leaves.

Everything here is called by the holder of the shelf's lock.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from flowsource.revisions import Revision
from flowsource.snapshots.layout import Shelf
from flowsource.snapshots.leases import unleased
from flowsource.snapshots.publishing import Marker, clear_staging, read_marker, set_aside
from flowsource.snapshots.snapshot import snapshot_id

# Longer than anybody takes to write a few hundred bytes.
_ABANDONED = timedelta(hours=1)


def expendable(
    published: Iterable[Marker], *, keep: int, published_before: datetime, in_use: Collection[Revision]
) -> list[Revision]:
    """Those of one source's snapshots that nobody would miss: not in use, not of the `keep` newest, not young."""
    newest_first = sorted(published, key=lambda marker: marker.published_at, reverse=True)
    return [
        marker.revision
        for marker in newest_first[keep:]
        if marker.published_at < published_before and marker.revision not in in_use
    ]


def collect(shelf: Shelf, *, keep: int, published_before: datetime, in_use: Collection[Revision]) -> list[Revision]:
    """Remove what is expendable and not leased, and return it."""
    markers = [marker for place in shelf.snapshots.iterdir() if (marker := read_marker(place))]
    chosen = expendable(markers, keep=keep, published_before=published_before, in_use=in_use)
    removed = [revision for revision in chosen if set_aside(shelf, snapshot_id(revision))]
    sweep(shelf)
    return removed


def sweep(shelf: Shelf) -> None:
    """Remove what dead processes left: half-made and half-deleted trees, and whatever has lost its snapshot."""
    for place in shelf.snapshots.iterdir():
        if read_marker(place) is None:
            set_aside(shelf, place.name)
    for lease in _without_snapshot(shelf, shelf.leases):
        with unleased(shelf, lease.name):
            pass
    for left in _without_snapshot(shelf, shelf.bytecode):
        # Renamed before it is deleted: a run of a mounted directory may be writing there.
        left.rename(shelf.staging / uuid.uuid4().hex)
    clear_staging(shelf)
    for beside in shelf.tips.glob(".*"):
        if time.time() - beside.stat().st_mtime > _ABANDONED.total_seconds():
            beside.unlink()


def _without_snapshot(shelf: Shelf, directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if not (shelf.snapshots / path.name).exists()]
