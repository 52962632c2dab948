"""How a saved state of a directory differs from the commit that is checked out there: kept beside its snapshot."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from flowsource.revisions import Revision
from flowsource.sources.local_git import difference
from flowsource.sources.replacing import replacing

logger = logging.getLogger(__name__)

_DIRECTORY: Final = "patches"
_MOST: Final = 200


def read_patch(workspace: Path, revision: Revision) -> str | None:
    """The unified diff from the commit of `revision` to what it holds, or None where there is none.

    Files that Git ignores are not in it. What is too large to be shown is named.
    """
    try:
        return _place(workspace, revision).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def keep_patch(workspace: Path, revision: Revision, directory: Path, tree: Path) -> None:
    """Keep how `tree`, a copy of `directory` as it was, differs from the commit of `revision`.

    That nothing could be told is logged, and no more: the snapshot is what counts.
    """
    patch = difference(directory, tree)
    if patch is None:
        logger.warning(
            "how %s of %s differs from its commit could not be told",
            revision.short,
            directory,
            extra={"event": "source.patch_lost", "revision": revision.id},
        )
        return
    place = _place(workspace, revision)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with replacing(place) as beside:
        beside.write_bytes(patch)
    _forget_oldest(place.parent)


def _place(workspace: Path, revision: Revision) -> Path:
    return workspace / _DIRECTORY / f"{revision.id}.patch"


def _forget_oldest(patches: Path) -> None:
    by_age = sorted(patches.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in by_age[_MOST:]:
        path.unlink(missing_ok=True)
