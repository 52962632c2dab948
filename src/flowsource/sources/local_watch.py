"""Noticing that a directory was edited, as it happens."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread
from watchfiles import Change, awatch

from flowsource.errors import SourceError, SourceMissing
from flowsource.sources.local_scan import Scan, is_ignored, packages, scan

logger = logging.getLogger(__name__)

Look = Callable[[], Scan]

_QUIET = 0.1
_PATIENCE = 3.0
_RESCAN = 30.0
_POLL = 2.0
_ROOT_MISSING = 0.25

# In milliseconds. At each step a thread of the library looks whether there is something, or it is to stop: seldom
# enough to cost little where nothing happens. Whether the directory is still the one that it was is asked less often.
_WAKE = 2000
_BATCH = 400
_STEP = 200


async def watch_directory(directory: Path, *, stop: anyio.Event, modules_only: bool = False) -> AsyncGenerator[str]:
    """The digest of `directory`: as it is now, then after each edit, until `stop` is set.

    What is told first was seen with the watch in place, so that no edit is lost in between. An edit is told once
    nothing more was written for 0.1 seconds; of a directory that is never so quiet, every 3 seconds. One that is
    missing is waited for: nothing is told until it is back. Close the generator when you leave it early.

    The notices of the operating system only say when to look. They do not reach into a directory made a moment ago, nor
    over some networks, so a look is taken every 30 seconds in any case; and every 2 where there are no notices. With
    `modules_only` it is about the modules of the directory alone, as `scan` knows them.
    """
    look = partial(scan, directory, modules_only=modules_only)
    last = None
    async with aclosing(_hints(directory, stop, modules_only)) as hints:
        async for _ in hints:
            digest = await _quiet_digest(look)
            if digest not in (None, last):
                last = digest
                yield digest


async def _hints(directory: Path, stop: anyio.Event, modules_only: bool) -> AsyncGenerator[None]:
    """A reason to look at the directory: a notice, or that it is time."""
    while not stop.is_set():
        try:
            async with aclosing(_notices(directory, stop, modules_only)) as notices:
                async for notice in notices:
                    yield notice
        except (FileNotFoundError, SourceMissing):
            await _pause(stop, _ROOT_MISSING)
        except (OSError, SourceError) as error:
            logger.debug("no notices for %s: %s", directory, error, extra={"event": "watch.polling"})
            await _pause(stop, _POLL)
            yield


async def _notices(directory: Path, stop: anyio.Event, modules_only: bool) -> AsyncGenerator[None]:
    """Notices of the operating system, while the directory is the one that it was.

    Raises OSError if there are none, OSError or SourceError if the directory cannot be read.
    """
    # At once: what was edited before the watch stood gave no notice.
    due = 0.0
    batches = awatch(
        *(packages(directory) if modules_only else [directory]),
        recursive=not modules_only,
        watch_filter=_concerns(directory),
        debounce=_BATCH,
        step=_STEP,
        rust_timeout=_WAKE,
        yield_on_timeout=True,
        stop_event=stop,
        ignore_permission_denied=True,
    )
    with _held(directory) as root:
        async with aclosing(batches):
            async for batch in batches:
                if batch or anyio.current_time() >= due:
                    due = anyio.current_time() + _RESCAN
                    yield
                # A watch on a directory that was deleted stays silent for ever.
                if not _is_at(directory, root):
                    return


@contextmanager
def _held(directory: Path) -> Iterator[int]:
    """An open descriptor of `directory`, so that one made in its place later cannot get the same inode."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_at(directory: Path, root: int) -> bool:
    return os.path.samestat(os.fstat(root), directory.stat())


def _concerns(directory: Path) -> Callable[[Change, str], bool]:
    inside = len(directory.parts)

    def concerns(_: Change, path: str) -> bool:
        return not any(is_ignored(part) for part in Path(path).parts[inside:])

    return concerns


async def _quiet_digest(look: Look) -> str | None:
    """The digest once it was the same twice; None if the directory is not to be read."""
    digest = await _digest(look)
    with anyio.move_on_after(_PATIENCE):
        while True:
            await anyio.sleep(_QUIET)
            before, digest = digest, await _digest(look)
            if digest == before:
                break
    return digest


async def _digest(look: Look) -> str | None:
    try:
        return (await to_thread.run_sync(look)).digest
    except (SourceError, OSError) as error:
        # Whoever resolves the source is told; here it only means that there is nothing new to run.
        logger.debug("cannot look: %s", error, extra={"event": "watch.unreadable"})
        return None


async def _pause(stop: anyio.Event, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await stop.wait()
