"""A snapshot: the directory that holds exactly one revision."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from flowsource.errors import InvalidInput
from flowsource.revisions import Revision

_REVISION_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One revision of one source on this disk.

    `root` is the directory that holds its files. Nothing in it ever changes, except where `is_mounted` says that it is
    a person's own directory, used in place.
    """

    source_key: str
    revision: Revision
    root: Path
    is_mounted: bool = False

    @property
    def id(self) -> str:
        """Names this snapshot among those of its source; fit for a file name."""
        return snapshot_id(self.revision)


def snapshot_id(revision: Revision) -> str:
    """The name that `revision` has on disk; raises InvalidInput where it could not be one.

    Revisions come back from the store as text. One that is not a plain identifier must never become a path.
    """
    if not _REVISION_ID.fullmatch(revision.id):
        raise InvalidInput(f"revision: {revision.id!r} is not a full commit id or digest; give 40 or 64 of 0-9 a-f.")
    if not revision.content:
        return revision.id
    return f"{revision.id}-{hashlib.sha256(revision.content.encode(errors='surrogateescape')).hexdigest()[:16]}"
