"""Publishing: how a staged tree becomes a snapshot, and how it is known to be one.

A snapshot is `tree/`, `manifest.json` and `complete`. That its directory exists proves nothing; the marker does.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flowsource.errors import SnapshotGone, SourceInvalid, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots import disk, manifest
from flowsource.snapshots.layout import Shelf
from flowsource.snapshots.leases import make_room, unleased
from flowsource.snapshots.manifest import Manifest
from flowsource.snapshots.snapshot import Snapshot, snapshot_id
from flowsource.text import one_line

logger = logging.getLogger(__name__)

_FORMAT = 2
_MARKER = "complete"
_MANIFEST = "manifest.json"
_TOLD = 3  # of the paths that were changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the file `complete` says."""

    revision: Revision
    published_at: datetime
    manifest_sha256: str


def read_marker(directory: Path) -> Marker | None:
    """What the snapshot in `directory` says of itself, or None if it is not complete."""
    told = _told(directory)
    if told is None or told.get("format") != _FORMAT:
        return None
    try:
        return Marker(
            revision=Revision.from_json(told["revision"]),
            published_at=datetime.fromisoformat(told["published_at"]),
            manifest_sha256=told["manifest_sha256"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def is_foreign(directory: Path) -> bool:
    """Whether another version of flowsource published what is in `directory`: not ours to use, nor to remove."""
    told = _told(directory)
    return told is not None and isinstance(told.get("format"), int) and told["format"] != _FORMAT


def find(shelf: Shelf, revision: Revision) -> Snapshot | None:
    """The published snapshot of `revision`, or None. Reads one small file; takes no lock."""
    directory = shelf.snapshots / snapshot_id(revision)
    marker = read_marker(directory)
    if marker is None:
        return None
    # Another ref may have led here before; the caller's own is the one to tell.
    known = replace(marker.revision, ref=revision.ref or marker.revision.ref)
    return Snapshot(source_key=shelf.key, revision=known, root=directory / "tree")


def stage(shelf: Shelf, revision: Revision) -> Path:
    """A new directory in staging with an empty `tree` in it, after removing what dead processes left there.

    The caller holds the lock of the shelf, here and below. Raises SourceInvalid when the place of `revision` is taken
    by another version of flowsource.
    """
    place = shelf.snapshots / snapshot_id(revision)
    if is_foreign(place):
        raise SourceInvalid(
            f"{place} was published by another version of flowsource, and this one cannot read it. "
            "Use that version, or set FLOWSOURCE_CACHE to another directory."
        )
    clear_staging(shelf)
    staged = shelf.staging / uuid.uuid4().hex
    staged.mkdir(mode=0o700)
    (staged / "tree").mkdir(mode=0o700)
    return staged


def publish(shelf: Shelf, staged: Path, revision: Revision, holds: Manifest, *, at: datetime) -> Snapshot:
    """Make the staged tree the snapshot of `revision`, of which `holds` tells: there for good, also after a power cut.

    Raises SourceUnavailable when the place is taken by a damaged snapshot that a run still uses, OSError when the disk
    refuses.
    """
    listed = holds.to_json()
    (staged / _MANIFEST).write_bytes(listed)
    told = {
        "format": _FORMAT,
        "revision": revision.to_json(),
        "published_at": at.isoformat(),
        "manifest_sha256": hashlib.sha256(listed).hexdigest(),
    }
    (staged / _MARKER).write_text(json.dumps(told))
    disk.sync_file_system(staged)

    name = snapshot_id(revision)
    place = shelf.snapshots / name
    if place.exists() and not set_aside(shelf, name):
        raise SourceUnavailable(f"{place} is damaged, and a run still uses it. It is replaced once that run has ended.")
    # Made now, so that on a full disk a lease can still be taken, and runs go on.
    make_room(shelf, name)
    staged.rename(place)
    disk.sync_directory(shelf.snapshots)
    clear_staging(shelf)
    return Snapshot(source_key=shelf.key, revision=revision, root=place / "tree")


def set_aside(shelf: Shelf, name: str) -> bool:
    """Take the snapshot `name` out of sight, into staging; if it is leased leave it alone, and say False."""
    with unleased(shelf, name) as is_free:
        if is_free:
            (shelf.snapshots / name).rename(shelf.staging / uuid.uuid4().hex)
    return is_free


def clear_staging(shelf: Shelf) -> None:
    """Delete all that is in staging. What cannot be deleted now (a file held open on NFS) is left for the next time."""
    for left in shelf.staging.iterdir():
        delete(left)


def delete(left: Path) -> None:
    """Delete what nobody can see any more; where that cannot be done now, it is left for the next time."""
    try:
        disk.remove_tree(left)
    except FileNotFoundError:
        # Another process deletes it too.
        pass
    except OSError as error:
        logger.warning("%s could not be deleted: %s", left, error.strerror, extra={"event": "staging.left"})


def set_aside_changed(shelf: Shelf, snapshot: Snapshot, changed: Sequence[str]) -> None:
    """Take a snapshot that is not as it was published out of sight; one that is leased stays. Either is logged."""
    more = f" and {len(changed) - _TOLD} more" if len(changed) > _TOLD else ""
    if set_aside(shelf, snapshot.id):
        what_now = "It is fetched again."
    else:
        what_now = "It is used as it is, because a run still uses it."
    logger.warning(
        "revision %s was changed in %s after it was published: %s%s. %s Runs must write elsewhere.",
        snapshot.revision.short,
        snapshot.root,
        one_line(", ".join(changed[:_TOLD])),
        more,
        what_now,
        extra={"event": "snapshot.changed", "source": shelf.key, "revision": snapshot.revision.id},
    )


def verify(snapshot: Snapshot) -> tuple[str, ...]:
    """The paths at which a published snapshot differs from its manifest; none when it is intact."""
    directory = snapshot.root.parent
    marker = read_marker(directory)
    if marker is None:
        return (_MARKER,)
    try:
        listed = (directory / _MANIFEST).read_bytes()
    except FileNotFoundError:
        return (_MANIFEST,)
    if hashlib.sha256(listed).hexdigest() != marker.manifest_sha256:
        return (_MANIFEST,)
    try:
        return manifest.differences(manifest.from_json(listed).entries, snapshot.root)
    except FileNotFoundError:
        # It goes as we look: only a lease would keep it.
        return (_MARKER,)


def read_manifest(snapshot: Snapshot) -> Manifest:
    """What a published snapshot holds; raises SnapshotGone when it left the cache meanwhile."""
    try:
        return manifest.from_json((snapshot.root.parent / _MANIFEST).read_bytes())
    except FileNotFoundError:
        raise SnapshotGone(f"revision {snapshot.revision.short} left the cache meanwhile. Ask for it again.") from None


def newest(shelf: Shelf) -> Snapshot | None:
    """The snapshot that was published last, or None."""
    places = list(shelf.snapshots.iterdir())
    markers = [(marker.published_at, place, marker) for place in places if (marker := read_marker(place))]
    if not markers:
        return None
    _, place, marker = max(markers, key=lambda found: found[0])
    return Snapshot(source_key=shelf.key, revision=marker.revision, root=place / "tree")


def _told(directory: Path) -> dict[str, Any] | None:
    """What the marker says, whatever its format; None if there is none that can be read."""
    try:
        told = json.loads((directory / _MARKER).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return told if isinstance(told, dict) else None
