"""The snapshot cache: revisions in, immutable directories out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
from anyio import to_thread

from flowsource.errors import SnapshotGone, SourceMissing, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots import garbage, publishing, tips
from flowsource.snapshots.layout import Shelf, make_private, open_root, shelves
from flowsource.snapshots.leases import Lease, hold, on_directory
from flowsource.snapshots.locks import locked, try_lock
from flowsource.snapshots.manifest import Manifest
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Report, Source, say_nothing
from flowsource.sources.content import Entry
from flowsource.sources.kept import KeptFiles, KeptSnapshot
from flowsource.sources.writing import TreeWriter

logger = logging.getLogger(__name__)


class SnapshotCache:
    """The snapshots of any number of sources under one directory, shared by any number of processes.

    `root` is made if it is missing. `is_protected` says that even runs of root cannot write to a snapshot, so that
    several may share a file. Raises InvalidSettings if anybody else could write there.
    """

    def __init__(self, root: Path, *, is_protected: bool = False) -> None:
        self.root = open_root(root)
        # Permissions stop everybody but root.
        self._may_link = is_protected or os.geteuid() != 0
        # By source key and id: those that we have published, or looked at.
        self._known: set[tuple[str, str]] = set()
        self._looking = anyio.Lock()

    async def ensure(self, source: Source, revision: Revision, *, report: Report = say_nothing) -> Snapshot:
        """The snapshot of `revision`, fetched from `source` unless it is here.

        What is here is returned at once, without network or lock; the first time, every file of it is read to see
        that nobody changed it, and what was changed is fetched again unless it is leased. Else one fetch serves
        everybody who asks, in this process or another, and tells `report` of who came first how far it is. Whatever
        goes wrong, nothing half made is ever seen. A source with a `mount` is used in place. Raises what
        `source.fetch` raises, SourceUnavailable when the disk refuses, and SourceInvalid when another version of
        flowsource has taken the place of the snapshot.
        """
        if source.mount is not None:
            return Snapshot(source_key=source.key, revision=revision, root=source.mount, is_mounted=True)
        shelf = Shelf(self.root, source.key)
        try:
            snapshot = publishing.find(shelf, revision)
            if snapshot is None or await self._changes(snapshot):
                snapshot = await self._make(shelf, source, revision, report)
        except OSError as error:
            raise SourceUnavailable(
                f"revision {revision.short} of {source.label} could not be kept in {self.root}: "
                f"{error.strerror or error}. Make room there, or set FLOWSOURCE_CACHE to another directory."
            ) from error
        shelf.mark_used()
        return snapshot

    def find(self, source_key: str, revision: Revision) -> Snapshot | None:
        """The snapshot of `revision` if it is published here, or None."""
        return publishing.find(Shelf(self.root, source_key), revision)

    def lease(self, snapshot: Snapshot) -> Lease:
        """A hold on `snapshot`, so that it stays until the lease is released or the last process with it has ended.

        Raises SnapshotGone if it was removed since it was found. The lease on a mounted directory keeps nothing from
        being changed: it raises SourceMissing if the directory is gone. Raises SourceUnavailable when the system
        refuses.
        """
        try:
            return on_directory(snapshot.root) if snapshot.is_mounted else self._hold(snapshot)
        except OSError as error:
            if snapshot.is_mounted and isinstance(error, FileNotFoundError | NotADirectoryError):
                raise SourceMissing(f"{snapshot.root} cannot be opened: {error.strerror}. Bring it back.") from error
            raise SourceUnavailable(
                f"no lease on {snapshot.root} can be had: {error.strerror}. "
                "Make room on the disk, or let this process open more files (`ulimit -n`)."
            ) from error

    def _hold(self, snapshot: Snapshot) -> Lease:
        shelf = Shelf(self.root, snapshot.source_key)
        lease = hold(shelf, snapshot.id)
        try:
            if publishing.find(shelf, snapshot.revision) is None:
                raise SnapshotGone(f"revision {snapshot.revision.short} left the cache meanwhile. Ask for it again.")
        except BaseException:
            lease.release()
            raise
        shelf.mark_used()
        return lease

    def bytecode(self, snapshot: Snapshot) -> Path:
        """The directory for compiled modules of this revision.

        Made if it is missing; where the disk is full it stays missing, and Python goes without. That of a mounted
        directory is for all its states: whoever uses it must know modules by their content.
        """
        shelf = Shelf(self.root, snapshot.source_key)
        # Of a directory in use by a person each edit is another revision, most modules of which are as they were.
        directory = shelf.bytecode / ("mounted" if snapshot.is_mounted else snapshot.id)
        with suppress(OSError):
            # Each run asks for it.
            if not directory.is_dir():
                shelf.prepare()
                make_private(directory)
        return directory

    async def remember_tip(self, source: Source, revision: Revision) -> None:
        """Keep `revision` as the last one that `source` resolved to.

        Where the disk refuses that is logged, and no more: it is only missed by a cold start with the remote away.
        """
        try:
            await to_thread.run_sync(tips.remember, Shelf(self.root, source.key), source.selector, revision)
        except OSError as error:
            logger.warning(
                "%s: that %s was its last revision could not be kept in %s: %s. Make room there.",
                source.label,
                revision.short,
                self.root,
                error.strerror,
                extra={"event": "tip.lost", "source": source.key, "revision": revision.id},
            )

    def last_tip(self, source: Source) -> Revision | None:
        """The last revision that `source` was remembered at, by whatever process, or None."""
        return tips.recall(Shelf(self.root, source.key), source.selector)

    async def verify(self, snapshot: Snapshot) -> tuple[str, ...]:
        """The paths at which a published snapshot differs from what was published; none when it is intact."""
        return await to_thread.run_sync(publishing.verify, snapshot)

    def entries(self, snapshot: Snapshot) -> tuple[Entry, ...]:
        """What a published snapshot holds, by path; raises SnapshotGone when it left the cache meanwhile."""
        return tuple(publishing.read_manifest(snapshot).entries)

    async def sweep(self) -> None:
        """Remove what killed processes left behind; to be called at start. A source that is being fetched is passed."""
        await to_thread.run_sync(self._tidy, garbage.sweep)
        await to_thread.run_sync(garbage.clear_removed, self.root)

    async def collect(
        self, *, keep: int, keep_for: timedelta, in_use: Collection[tuple[str, Revision]], now: datetime
    ) -> list[tuple[str, Revision]]:
        """Remove old snapshots, and return those that went, as pairs of source key and revision.

        Of each source the `keep` newest stay, and those published within `keep_for` before `now`, those in `in_use`
        (pairs again), and those on which anybody holds a lease. A source that is being fetched is passed. One of which
        nothing is in `in_use`, and that nobody has used within `keep_for` before `now`, goes with all that belongs to
        it, unless anybody holds a lease there.
        """
        removed: list[tuple[str, Revision]] = []

        def collect(shelf: Shelf) -> None:
            used = {revision for key, revision in in_use if key == shelf.key}
            gone = garbage.collect(shelf, keep=keep, before=now - keep_for, in_use=used)
            removed.extend((shelf.key, revision) for revision in gone)

        await to_thread.run_sync(self._tidy, collect)
        return removed

    def _tidy(self, tidy: Callable[[Shelf], None]) -> None:
        for shelf in shelves(self.root):
            try:
                with try_lock(shelf.lock) as is_held:
                    if is_held:
                        shelf.prepare()
                        tidy(shelf)
            except FileNotFoundError:
                # Another process has just removed the shelf.
                pass
            except OSError as error:
                # Nobody should go without a server because a disk could not be tidied.
                logger.warning(
                    "%s could not be tidied: %s", shelf.workspace, error.strerror, extra={"event": "shelf.left"}
                )

    async def _changes(self, snapshot: Snapshot) -> tuple[str, ...]:
        """The paths at which `snapshot` is not as it was published; looked at once."""
        name = (snapshot.source_key, snapshot.id)
        if name in self._known:
            # Without waiting for those who look at another one.
            return ()
        async with self._looking:
            if name in self._known:
                return ()
            changed = await to_thread.run_sync(publishing.verify, snapshot)
            if not changed:
                self._known.add(name)
            return changed

    async def _make(self, shelf: Shelf, source: Source, revision: Revision, report: Report) -> Snapshot:
        """The snapshot of `revision`, fetched unless there is one now that is intact, or that cannot be replaced."""
        async with locked(shelf.lock, prepare=shelf.prepare):
            # Whoever held the lock before us may have published it.
            snapshot = publishing.find(shelf, revision)
            if snapshot is not None and (changed := await self._changes(snapshot)):
                await to_thread.run_sync(publishing.set_aside_changed, shelf, snapshot, changed)
                snapshot = publishing.find(shelf, revision)
            snapshot = snapshot or await _fetch(shelf, source, revision, report, may_link=self._may_link)
        self._known.add((snapshot.source_key, snapshot.id))
        return snapshot


async def _fetch(shelf: Shelf, source: Source, revision: Revision, report: Report, *, may_link: bool) -> Snapshot:
    try:
        staged = await to_thread.run_sync(publishing.stage, shelf, revision)
        tree = TreeWriter(staged / "tree", await to_thread.run_sync(_kept, shelf, source, revision, may_link))
        try:
            fetched = await source.fetch(revision, tree, workspace=shelf.workspace, report=report)
            snapshot = await to_thread.run_sync(_publish, shelf, staged, fetched, tree)
        finally:
            tree.close()
    except BaseException:
        # What went wrong counts, and not what is left of it: the next one to publish deletes that.
        with anyio.CancelScope(shield=True), suppress(OSError):
            await to_thread.run_sync(publishing.clear_staging, shelf)
        raise
    logger.info(
        "published %s of %s",
        revision.short,
        source.label,
        extra={"event": "snapshot.published", "source": source.key, "revision": revision.id},
    )
    return snapshot


def _kept(shelf: Shelf, source: Source, revision: Revision, may_link: bool) -> KeptFiles:
    """The snapshots whose files the next one is most likely to share: the last of the same ref, and the newest."""
    tip = tips.recall(shelf, source.selector)
    likely = [publishing.find(shelf, tip) if tip is not None else None, publishing.newest(shelf)]
    found = {snapshot.root: snapshot for snapshot in likely if snapshot is not None}
    kept: list[KeptSnapshot] = []
    for snapshot in found.values():
        # One whose manifest is damaged, or gone, has nothing to give.
        with suppress(SnapshotGone, ValueError, KeyError, TypeError):
            holds = publishing.read_manifest(snapshot)
            kept.append(
                KeptSnapshot(
                    revision_id=snapshot.revision.id,
                    root=snapshot.root,
                    entries=holds.entries,
                    empty_directories=holds.empty_directories,
                    is_alike=snapshot.revision.content == revision.content,
                )
            )
    return KeptFiles(kept, may_link=may_link)


def _publish(shelf: Shelf, staged: Path, revision: Revision, tree: TreeWriter) -> Snapshot:
    holds = Manifest(tree.finish(), tree.empty_directories)
    return publishing.publish(shelf, staged, revision, holds, at=datetime.now(UTC))
