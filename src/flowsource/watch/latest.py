"""The newest snapshot of a source, now: from the remote, or with the remote away from disk."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from flowsource.errors import SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source

logger = logging.getLogger(__name__)

# Deployments that are declared one after the other, of one source, share one exchange with its remote.
_SHARED_FOR = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Latest:
    """A snapshot, and when it was asked for (`time.monotonic`); `is_stale` when the remote did not answer then."""

    snapshot: Snapshot
    asked_at: float
    is_stale: bool = False


_seen: dict[tuple[str, str, str], Latest] = {}


async def latest(source: Source, cache: SnapshotCache) -> Latest:
    """The newest snapshot of `source`, fetched if it is not in `cache`.

    What was learned in this process a few seconds ago is believed. With the remote away the last revision that was
    resolved serves, if its snapshot is on disk. Raises SourceError.
    """
    name = (str(cache.root), source.key, source.selector)
    known = _seen.get(name)
    if known is not None and time.monotonic() - known.asked_at < _SHARED_FOR.total_seconds():
        return known
    asked_at = time.monotonic()
    try:
        revision = await source.resolve()
        found = Latest(await cache.ensure(source, revision), asked_at)
    except SourceUnavailable as error:
        kept = _from_disk(source, cache)
        if kept is None:
            raise
        logger.warning("%s does not answer; going on with %s: %s", source.label, kept.revision.short, error)
        return Latest(kept, asked_at, is_stale=True)
    if source.mount is None:
        await cache.remember_tip(source, found.snapshot.revision)
        _seen[name] = found
    return found


def _from_disk(source: Source, cache: SnapshotCache) -> Snapshot | None:
    revision = cache.last_tip(source)
    return cache.find(source.key, revision) if revision is not None else None
