"""What is in an object, known by its state: so that one that did not change need not be read again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from flowsource.sources.remote.listing import Item
from flowsource.sources.replacing import replacing

_NAME: Final = "objects.json"
_FORMAT: Final = 1

Digests = dict[Item, str]


def read(workspace: Path) -> Digests:
    """The digest of each object, in the state that it had; nothing where nothing readable was kept."""
    try:
        told = json.loads((workspace / _NAME).read_bytes())
        if told["format"] != _FORMAT:
            return {}
        return {Item(path, size, stamp): digest for path, size, stamp, digest in told["objects"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(workspace: Path, known: Mapping[Item, str], present: Iterable[Item]) -> None:
    """Keep what is `known` of the objects that are `present`."""
    wanted = set(present)
    rows = [(item.path, item.size, item.stamp, digest) for item, digest in known.items() if item in wanted]
    with replacing(workspace / _NAME) as beside:
        # Lost in a power cut it is only missed: the objects are then read again.
        beside.write_text(json.dumps({"format": _FORMAT, "objects": rows}))
