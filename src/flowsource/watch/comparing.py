"""What a candidate changes for a deployment: nothing of its paths, or its dependencies, by the manifests."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache

from anyio import to_thread

from flowsource.deployments import Change, Declaration
from flowsource.entrypoints import parse
from flowsource.errors import SnapshotGone
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.content import Entry
from flowsource.watch.dependencies import changed_dependencies, described
from flowsource.watch.trees import paths_of, tree_id


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether a candidate has the same files at the declared paths, and the dependency files that it changes."""

    is_same: bool = False
    changes: tuple[Change, ...] = ()


async def compare(cache: SnapshotCache, known: Revision, candidate: Snapshot, declared: Declaration) -> Comparison:
    """Hold `candidate` against the snapshot of `known`.

    Where that one is not here any more, or a directory is used in place, nothing is known to be the same.
    """
    before = None if candidate.is_mounted else cache.find(candidate.source_key, known)
    if before is None:
        return Comparison()
    try:
        with cache.lease(before), cache.lease(candidate):
            return await to_thread.run_sync(_compare, cache, before, candidate, declared)
    except SnapshotGone:
        return Comparison()


# One at a time: after a push all deployments of a source ask the same, and find what the first of them has read.
_reading = threading.Lock()


def _compare(cache: SnapshotCache, before: Snapshot, candidate: Snapshot, declared: Declaration) -> Comparison:
    entrypoint = parse(declared.entrypoint)
    paths = paths_of(entrypoint, declared.paths)
    with _reading:
        is_same = _tree_id(cache, before, paths) == _tree_id(cache, candidate, paths)
        changed = changed_dependencies(_entries(cache, before), _entries(cache, candidate), entrypoint)
        return Comparison(is_same=is_same, changes=_described(changed, before.root, candidate.root))


@lru_cache(maxsize=2)
def _entries(cache: SnapshotCache, snapshot: Snapshot) -> tuple[Entry, ...]:
    return cache.entries(snapshot)


_described = lru_cache(maxsize=16)(described)


@lru_cache(maxsize=64)
def _tree_id(cache: SnapshotCache, snapshot: Snapshot, paths: tuple[str, ...]) -> str:
    return tree_id(_entries(cache, snapshot), paths)
