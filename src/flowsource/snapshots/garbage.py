"""Garbage: what may leave the cache, and how it leaves.

What takes a shelf is called by the holder of its lock.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path

from flowsource.revisions import Revision
from flowsource.snapshots.layout import Shelf, half_deleted, out_of_sight
from flowsource.snapshots.leases import unleased
from flowsource.snapshots.publishing import Marker, clear_staging, delete, is_foreign, read_marker, set_aside
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


def collect(shelf: Shelf, *, keep: int, before: datetime, in_use: Collection[Revision]) -> list[Revision]:
    """Remove what is expendable and not leased, and return it.

    With nothing in use, and nobody who used the source since `before`, all of it is expendable, and the shelf too.
    """
    if not in_use and _was_left(shelf, before) and (removed := _remove(shelf)) is not None:
        return removed
    markers = [marker for place in shelf.snapshots.iterdir() if (marker := read_marker(place))]
    chosen = expendable(markers, keep=keep, published_before=before, in_use=in_use)
    removed = [revision for revision in chosen if set_aside(shelf, snapshot_id(revision))]
    sweep(shelf)
    return removed


def sweep(shelf: Shelf) -> None:
    """Remove what dead processes left: half-made and half-deleted trees, and whatever has lost its snapshot."""
    for place in shelf.snapshots.iterdir():
        if read_marker(place) is None and not is_foreign(place):
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


def clear_removed(cache: Path) -> None:
    """Delete what is left of shelves whose removal was interrupted; needs no lock, for nobody can come to them."""
    for gone in half_deleted(cache):
        delete(gone)


def _was_left(shelf: Shelf, before: datetime) -> bool:
    used_at = shelf.used_at()
    if used_at is None:
        # Not known: from now on it is.
        shelf.mark_used()
    return used_at is not None and used_at < before


def _remove(shelf: Shelf) -> list[Revision] | None:
    """Remove the shelf, and return the snapshots that went; None, and it stays, when one is leased or foreign."""
    sweep(shelf)
    places = list(shelf.snapshots.iterdir())
    removed = [marker.revision for place in places if (marker := read_marker(place))]
    if any(map(is_foreign, places)):
        return None
    gone = out_of_sight(shelf)
    with ExitStack() as held:
        if not all(held.enter_context(unleased(shelf, place.name)) for place in places):
            return None
        shelf.bytecode.rename(shelf.staging / uuid.uuid4().hex)
        shelf.workspace.rename(gone)
    with suppress(OSError):
        # Not empty where somebody came back just now.
        shelf.leases.rmdir()
    delete(gone)
    return removed


def _without_snapshot(shelf: Shelf, directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if not (shelf.snapshots / path.name).exists()]
