"""Where the dashboards of this host are: a file for each, with its URL, locked for as long as it can be reached."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from flowsource.runner.lifesigns import locked, make_private

_SUFFIX = ".dashboard"


@contextmanager
def announced(directory: Path, url: str) -> Iterator[None]:
    """Tell `url` to whoever asks on this host, while the context is open; raises OSError."""
    make_private(directory)
    dashboards(directory)  # So that those of the dead are forgotten.
    path = directory / f"{uuid4()}{_SUFFIX}"
    descriptor = locked(path)
    try:
        os.write(descriptor, url.encode())
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def dashboards(directory: Path) -> list[str]:
    """The URLs at which there is a dashboard now, that of the oldest first; those that died are forgotten."""
    found = []
    for path in directory.glob(f"*{_SUFFIX}"):
        # It may end, or be forgotten by another, while we look.
        with suppress(FileNotFoundError):
            if _is_held(path):
                found.append((path.stat().st_ctime_ns, path.read_text(encoding="utf-8")))
            else:
                path.unlink()
    # One that has no URL yet is about to tell it.
    return [url for _, url in sorted(found) if url]


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
