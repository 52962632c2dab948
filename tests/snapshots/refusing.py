"""Limits under which the kernel refuses what a full disk, or a busy machine, would refuse."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limited(which: int) -> Iterator[None]:
    """Lower the limit `which` of this process to nothing during the block."""
    soft, hard = resource.getrlimit(which)
    resource.setrlimit(which, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(which, (soft, hard))


@contextmanager
def nothing_can_be_written() -> Iterator[None]:
    """No file grows during the block, by whatever thread."""
    with limited(resource.RLIMIT_FSIZE):
        yield


@contextmanager
def nothing_can_be_opened() -> Iterator[None]:
    """No file is opened during the block, by whatever thread."""
    with limited(resource.RLIMIT_NOFILE):
        yield
