"""Which snapshots a serving process keeps, and when it lets go of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from flowsource.deployments import Deployment
from flowsource.promotions import HistoryEntry, revision_before
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.store.protocol import Store

KEEP_SNAPSHOTS = 10
KEEP_SNAPSHOTS_FOR = timedelta(days=7)
TIDY_EVERY = timedelta(minutes=10)


async def collect_garbage(
    store: Store, cache: SnapshotCache, in_use: Sequence[tuple[str, Revision]], *, now: datetime
) -> None:
    """Remove old snapshots that nobody may need: no deployment, no run, and none that is `in_use` (by source key)."""
    kept = [*in_use, *await revisions_in_use(store)]
    await cache.collect(keep=KEEP_SNAPSHOTS, keep_for=KEEP_SNAPSHOTS_FOR, in_use=kept, now=now)


async def revisions_in_use(store: Store) -> list[tuple[str, Revision]]:
    """What must stay in the cache for all deployments and their runs, as pairs of source key and revision."""
    # A further attempt of a run is made at the revision of the first, however many have served since.
    kept = await store.revisions_of_runs()
    for deployment in await store.deployments():
        key, history = deployment.declared.source_key, await store.history(deployment.id)
        kept += [(key, revision) for revision in needed(deployment, history)]
    return kept


def needed(deployment: Deployment, history: Sequence[HistoryEntry]) -> list[Revision]:
    """What serves, what may serve next, and what a rollback goes back to."""
    revisions = [deployment.active, deployment.followed.revision]
    if deployment.wish is not None:
        revisions.append(deployment.wish.revision)
    if deployment.held is not None:
        revisions.append(deployment.held.loaded.revision)
    before = revision_before(history, deployment.active, [block.revision for block in deployment.blocked])
    return [*revisions, before] if before is not None else revisions
