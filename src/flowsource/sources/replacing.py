"""Replacing a file as a whole."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path`, to write to. That file takes its place in the end: a reader finds the old one or the new.

    Where anything fails, nothing is left of it. A power cut may undo it, unless it is synced.
    """
    beside = path.with_name(f".{uuid.uuid4().hex}")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
