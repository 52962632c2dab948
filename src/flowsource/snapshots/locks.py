"""Exclusive locks between processes, and between the tasks of one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio

_PAUSE = 0.02


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock on the file `path` during the block, if it is free: whether it is held is what `as` gives.

    It is not held either when the file was taken away, or replaced, before it was locked. Raises FileNotFoundError
    where there is no directory for it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield _is_at(path, descriptor)
        finally:
            # Said outright: a child forked in between has a copy of the descriptor, and closing ours frees nothing.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether `path` still leads to what is open; the lock of anything else would protect nothing."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@asynccontextmanager
async def locked(path: Path, *, prepare: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock on the file `path` during the block, waiting for it as long as it takes; can be cancelled.

    `prepare` makes the directory that it is in, and is called again where that was taken away meanwhile.
    """
    while True:
        prepare()
        with ExitStack() as held:
            is_held = False
            # Its directory was taken away, as is told above.
            with suppress(FileNotFoundError):
                is_held = held.enter_context(try_lock(path))
            if is_held:
                yield
                return
        # Asked again, not waited for in a thread: that could not be cancelled, and would take the lock after all.
        await anyio.sleep(_PAUSE)
