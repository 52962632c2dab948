"""Tips: the last revision each source was seen at, so that a cold start needs no remote."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flowsource.revisions import Revision
from flowsource.snapshots.disk import write_atomically
from flowsource.snapshots.layout import Shelf


def remember(shelf: Shelf, selector: str, revision: Revision) -> None:
    """Keep `revision` as the last one that `selector` led to, also after a power cut; raises OSError."""
    known = recall(shelf, selector)
    if known is not None and known.to_json() == revision.to_json():
        return
    shelf.prepare()
    told = {"selector": selector, "revision": revision.to_json()}
    write_atomically(_file(shelf, selector), json.dumps(told).encode())


def recall(shelf: Shelf, selector: str) -> Revision | None:
    """The revision that was kept last for `selector`, or None if there is none that can be read."""
    try:
        return Revision.from_json(json.loads(_file(shelf, selector).read_bytes())["revision"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(shelf: Shelf, selector: str) -> Path:
    # Hashed, since a selector may hold slashes, bytes that are no text, and be longer than a file name.
    return shelf.tips / f"{hashlib.sha256(selector.encode(errors='surrogateescape')).hexdigest()[:32]}.json"
