"""The newest snapshot of a source, now: from the remote, or from disk where the remote does not give it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowsource.errors import SourceError
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source
from flowsource.sources.history import hold_rewritten
from flowsource.watch.patience import probing
from flowsource.watch.progress import told

logger = logging.getLogger(__name__)

# Deployments that are declared one after the other, of one source, share one exchange with its remote.
_SHARED_FOR = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Latest:
    """A snapshot, and when it was asked for (`time.monotonic`).

    `failure` is why it could not be learned then whether there is a newer one.
    """

    snapshot: Snapshot
    asked_at: float
    failure: SourceError | None = None

    @property
    def is_stale(self) -> bool:
        """Whether this is the last that was known, and there may be a newer one."""
        return self.failure is not None


def on_the_clock(moment: float, *, now: datetime) -> datetime:
    """A moment of `time.monotonic` as an instant, which other processes understand, of the clock that says `now`."""
    return now - timedelta(seconds=time.monotonic() - moment)


@dataclass(frozen=True, slots=True)
class _Seen:
    latest: Latest
    answered_at: float


_seen: dict[tuple[str, str, str], _Seen] = {}


async def latest(source: Source, cache: SnapshotCache) -> Latest:
    """The newest snapshot of `source`, fetched if it is not in `cache`.

    What was learned in this process a few seconds ago is believed. Where the remote does not give what is asked for,
    for whatever reason, the last revision that was resolved serves, if its snapshot is on disk. Raises SourceError
    where there is none.
    """
    name = (str(cache.root), source.key, source.selector)
    known = _seen.get(name)
    if known is not None and time.monotonic() - known.answered_at < _SHARED_FOR.total_seconds():
        return known.latest
    found = await _from_remote(source, cache)
    if source.mount is None:
        _seen[name] = _Seen(found, time.monotonic())
    return found


async def _from_remote(source: Source, cache: SnapshotCache) -> Latest:
    asked_at = time.monotonic()
    try:
        with probing(source.label):
            revision = await source.resolve()
        if source.mount is None and (taken := cache.last_tip(source)) is not None:
            await hold_rewritten(source, revision, taken=taken)
        with told(source.label) as report:
            snapshot = await cache.ensure(source, revision, report=report)
    except SourceError as error:
        kept = await _from_disk(source, cache)
        if kept is None:
            raise
        # Not an error: a start while the remote is away, or a branch is gone, must go on. But nobody may miss it.
        logger.warning(
            "%s cannot be brought up to date; going on with %s, which was fetched before: %s",
            source.label,
            kept.revision.short,
            error,
            extra={"event": "source.stale", "source": source.key, "revision": kept.revision.id},
        )
        return Latest(kept, asked_at, failure=error)
    if source.mount is None:
        await cache.remember_tip(source, snapshot.revision)
    return Latest(snapshot, asked_at)


async def _from_disk(source: Source, cache: SnapshotCache) -> Snapshot | None:
    # Of a directory that is used in place nothing was kept.
    revision = cache.last_tip(source) if source.mount is None else None
    if revision is None or cache.find(source.key, revision) is None:
        return None
    return await cache.ensure(source, revision)  # Which looks whether it is still what was published.
