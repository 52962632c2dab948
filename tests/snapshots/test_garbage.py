"""What leaves the cache, and what never does."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from flowsource.errors import SnapshotGone
from flowsource.revisions import Revision
from flowsource.snapshots import layout
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.garbage import expendable
from flowsource.snapshots.layout import Shelf
from flowsource.snapshots.leases import unleased
from flowsource.snapshots.locks import try_lock
from flowsource.snapshots.publishing import Marker, set_aside
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.local import LocalStorage
from tests.snapshots.written import ONE, THREE, TWO, WrittenSource, below, make_foreign
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def cache(tmp_path: Path) -> SnapshotCache:
    return SnapshotCache(tmp_path / "cache")


async def collect(
    cache: SnapshotCache, *, keep: int = 0, in_use: Collection[tuple[str, Revision]] = ()
) -> list[tuple[str, Revision]]:
    """Collect as if an hour had passed, so that no snapshot is young."""
    return await cache.collect(keep=keep, keep_for=timedelta(0), in_use=in_use, now=datetime.now(UTC) + HOUR)


def is_waited_for(lock: Path) -> bool:
    """Whether somebody waits for the lock on that file, as the kernel tells."""
    return any(
        "->" in line and f":{lock.stat().st_ino} " in line for line in Path("/proc/locks").read_text().splitlines()
    )


def published(*revisions: Revision) -> list[Marker]:
    """Markers of `revisions`, each an hour older than the one before."""
    return [
        Marker(revision=revision, published_at=NOON - number * HOUR, manifest_sha256="")
        for number, revision in enumerate(revisions)
    ]


class TestWhatIsExpendable:
    def test_the_newest_are_kept(self) -> None:
        markers = published(THREE, TWO, ONE)
        assert expendable(markers[::-1], keep=2, published_before=NOON + HOUR, in_use=()) == [ONE]
        assert expendable(markers, keep=3, published_before=NOON + HOUR, in_use=()) == []

    def test_the_young_are_kept(self) -> None:
        assert expendable(published(THREE, TWO, ONE), keep=0, published_before=NOON - HOUR, in_use=()) == [ONE]

    def test_what_is_in_use_is_kept_however_old(self) -> None:
        assert expendable(published(THREE, TWO, ONE), keep=1, published_before=NOON + HOUR, in_use={ONE}) == [TWO]


async def test_what_nobody_needs_goes_with_all_that_belongs_to_it(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    cache.lease(snapshot).release()
    (cache.bytecode(snapshot) / "flows.pyc").touch()
    assert await collect(cache) == [("written", ONE)]
    assert cache.find("written", ONE) is None
    assert not [path for path in below(cache.root) if ONE.id in path]
    assert below(cache.root / "sources" / "written" / "staging") == []


async def test_each_source_keeps_its_own_newest(cache: SnapshotCache) -> None:
    for key in ("a", "b"):
        for revision in (ONE, TWO, THREE):
            await cache.ensure(WrittenSource(key=key), revision)
    assert await collect(cache, keep=1, in_use={("a", ONE), ("b", ONE)}) == [("a", TWO), ("b", TWO)]


async def test_a_use_of_one_source_keeps_nothing_of_another(cache: SnapshotCache) -> None:
    for key in ("a", "b"):
        await cache.ensure(WrittenSource(key=key), ONE)
    assert await collect(cache, in_use={("a", ONE)}) == [("b", ONE)]


async def test_a_lease_keeps_a_snapshot_until_it_is_released(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    with cache.lease(snapshot), cache.lease(snapshot) as second:
        assert await collect(cache) == []
        second.release()
        assert await collect(cache) == []
        assert (snapshot.root / "flows.py").exists()
    assert await collect(cache) == [("written", ONE)]


async def test_a_lease_that_a_child_was_given_ends_with_the_child(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    lease = cache.lease(snapshot)
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=[lease.fileno()]
    )
    with child:
        lease.release()
        assert await collect(cache) == []
        child.kill()
        child.wait()
    assert await collect(cache) == [("written", ONE)]


async def test_a_lease_makes_no_new_file_so_that_a_full_disk_stops_no_run(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    [lease_file] = (cache.root / "leases" / "written").iterdir()
    before = lease_file.stat().st_ino
    with cache.lease(snapshot) as lease:
        assert os.fstat(lease.fileno()).st_ino == before, "publishing has made the file"


async def test_a_lease_on_what_has_gone_is_refused(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    await collect(cache)
    with pytest.raises(SnapshotGone, match="Ask for it again"):
        cache.lease(snapshot)
    with cache.lease(await cache.ensure(WrittenSource(), ONE)):
        assert await collect(cache) == []


async def test_a_lease_asked_for_while_the_snapshot_goes_is_refused(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    shelf = Shelf(cache.root, "written")
    refused = anyio.Event()

    async def ask() -> None:
        with pytest.raises(SnapshotGone):
            await to_thread.run_sync(cache.lease, snapshot)
        refused.set()

    async with anyio.create_task_group() as tasks:
        with unleased(shelf, snapshot.id) as is_free:
            assert is_free
            tasks.start_soon(ask)
            await until(lambda: is_waited_for(shelf.leases / snapshot.id))
            assert not refused.is_set(), "the lease waits for whoever decides about the snapshot"
            snapshot.root.parent.rename(shelf.staging / "going")
    assert refused.is_set()


def test_a_released_lease_has_no_descriptor(cache: SnapshotCache) -> None:
    snapshot = anyio.run(cache.ensure, WrittenSource(), ONE)
    before = len(os.listdir("/proc/self/fd"))
    lease = cache.lease(snapshot)
    lease.release()
    lease.release()
    with pytest.raises(ValueError, match="released"):
        lease.fileno()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_deleting_follows_no_link_out_of_the_tree(cache: SnapshotCache, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    outside.chmod(0o500)
    await cache.ensure(WrittenSource({f"way -> {outside}": "", f"file -> {outside / 'precious'}": ""}), ONE)
    assert await collect(cache) == [("written", ONE)]
    assert below(outside) == ["precious"]
    assert outside.stat().st_mode & 0o777 == 0o500


async def test_a_source_that_is_being_fetched_is_passed(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    half_made = cache.root / "sources" / "written" / "staging" / "half-made"
    half_made.mkdir()
    with try_lock(cache.root / "sources" / "written" / "lock"):
        await cache.sweep()
        assert await collect(cache) == []
    assert half_made.exists()
    assert snapshot.root.exists()


async def test_what_another_version_published_is_not_ours_to_remove(cache: SnapshotCache) -> None:
    theirs = await cache.ensure(WrittenSource(), ONE)
    make_foreign(theirs)
    await cache.ensure(WrittenSource(), TWO)
    await cache.sweep()
    assert await collect(cache) == [("written", TWO)]
    assert (theirs.root / "flows.py").exists()


async def test_a_shelf_that_cannot_be_tidied_keeps_no_other_from_it(
    cache: SnapshotCache, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("a", "b"):
        await cache.ensure(WrittenSource(key=key), ONE)
    (cache.root / "sources" / "a" / "tips").rmdir()
    (cache.root / "sources" / "a" / "tips").touch()
    await cache.sweep()
    assert await collect(cache) == [("b", ONE)]
    assert "sources/a could not be tidied: File exists" in caplog.text


class TestASourceThatNobodyServes:
    async def test_it_goes_with_all_that_belongs_to_it(self, cache: SnapshotCache) -> None:
        for key in ("left", "served"):
            source = WrittenSource(key=key)
            for revision in (ONE, TWO):
                snapshot = await cache.ensure(source, revision)
                cache.lease(snapshot).release()
                (cache.bytecode(snapshot) / "flows.pyc").touch()
            await cache.remember_tip(source, TWO)
        Shelf(cache.root, "left").leases.joinpath("stray").touch()
        removed = await collect(cache, keep=10, in_use={("served", ONE)})
        assert sorted(removed, key=str) == [("left", ONE), ("left", TWO)]
        assert [path for path in below(cache.root) if "left" in path or "gone" in path] == []
        assert cache.find("served", TWO) is not None

    async def test_a_use_of_late_keeps_it(self, cache: SnapshotCache) -> None:
        used = Shelf(cache.root, "written").stamp
        snapshot = await cache.ensure(WrittenSource(), ONE)
        now = datetime.now(UTC)

        async def goes() -> bool:
            return bool(await cache.collect(keep=10, keep_for=HOUR, in_use=(), now=now))

        def last_used(at: datetime) -> None:
            os.utime(used, (at.timestamp(), at.timestamp()))

        assert not await goes()
        last_used(now - 2 * HOUR)
        await cache.ensure(WrittenSource(), ONE)
        assert not await goes(), "to ask for what is there is a use"
        last_used(now - 2 * HOUR)
        cache.lease(snapshot).release()
        assert not await goes(), "a lease is a use"
        last_used(now - 2 * HOUR)
        assert await goes()

    async def test_one_of_which_no_use_was_noted_is_used_from_now_on(self, cache: SnapshotCache) -> None:
        await cache.ensure(WrittenSource(), ONE)
        used = Shelf(cache.root, "written").stamp
        used.unlink()
        assert await collect(cache, keep=10) == []
        assert used.exists()
        assert await collect(cache, keep=10) == [("written", ONE)]

    async def test_a_lease_on_any_of_its_snapshots_keeps_them_all(self, cache: SnapshotCache) -> None:
        snapshot = await cache.ensure(WrittenSource(), ONE)
        await cache.ensure(WrittenSource(), TWO)
        with cache.lease(snapshot):
            assert await collect(cache, keep=10) == []
        assert len(await collect(cache, keep=10)) == 2

    async def test_it_comes_back_when_somebody_asks_for_it(self, cache: SnapshotCache) -> None:
        snapshot = await cache.ensure(WrittenSource(), ONE)
        await collect(cache)
        with pytest.raises(SnapshotGone):
            cache.lease(snapshot)
        with cache.lease(await cache.ensure(WrittenSource(), ONE)):
            assert await collect(cache) == []

    async def test_a_removal_that_was_interrupted_is_finished_by_the_next_sweep(self, cache: SnapshotCache) -> None:
        await cache.ensure(WrittenSource(), ONE)
        workspace = Shelf(cache.root, "written").workspace
        workspace.rename(workspace.with_name(".gone-0"))
        await cache.sweep()
        assert below(cache.root / "sources") == []


async def test_the_leases_of_a_source_may_be_cleared_away_while_it_is_fetched_anew(cache: SnapshotCache) -> None:
    """They lie outside of what its lock is about, and go last when a source goes as a whole."""

    async def clear_away(_: Path) -> None:
        (cache.root / "leases" / "written").rmdir()

    snapshot = await cache.ensure(WrittenSource(then=clear_away), ONE)
    cache.lease(snapshot).release()


@pytest.mark.parametrize("error", [FileExistsError, FileNotFoundError])
def test_a_directory_that_went_and_is_back_is_in_nobodys_way(
    cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    shelf = Shelf(cache.root, "written")

    def another_was_quicker(directory: Path) -> None:
        monkeypatch.undo()
        directory.mkdir(parents=True, exist_ok=True)
        raise error(17, "as it was a moment ago", str(directory))

    monkeypatch.setattr(layout, "make_private", another_was_quicker)
    shelf.prepare()
    assert shelf.snapshots.is_dir()


def test_a_file_in_the_place_of_a_directory_is_told(cache: SnapshotCache) -> None:
    (cache.root / "leases").touch()
    with pytest.raises(FileExistsError):
        Shelf(cache.root, "written").prepare()


def test_the_lock_of_a_shelf_that_was_removed_meanwhile_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "shelf" / "lock"
    lock.parent.mkdir()

    def flock_late(descriptor: int, how: int) -> None:
        monkeypatch.undo()
        lock.parent.rename(tmp_path / "gone")
        lock.parent.mkdir()
        lock.touch()
        fcntl.flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    with try_lock(lock) as is_held:
        assert not is_held
    with try_lock(lock) as is_held:
        assert is_held


class TestSweeping:
    async def test_half_made_and_half_deleted_trees_go(self, cache: SnapshotCache) -> None:
        snapshot = await cache.ensure(WrittenSource(), ONE)
        await cache.ensure(WrittenSource(), TWO)
        shelf = Shelf(cache.root, "written")
        set_aside(shelf, snapshot.id)
        (shelf.snapshots / THREE.id / "tree").mkdir(parents=True)
        await cache.sweep()
        assert below(shelf.staging) == []
        assert [path.name for path in shelf.snapshots.iterdir()] == [TWO.id]

    async def test_what_lost_its_snapshot_goes(self, cache: SnapshotCache) -> None:
        snapshot = await cache.ensure(WrittenSource(), ONE)
        shelf = Shelf(cache.root, "written")
        cache.bytecode(snapshot)
        cache.bytecode(Snapshot(source_key="written", revision=TWO, root=Path()))
        (shelf.leases / TWO.id).touch()
        cache.lease(snapshot).release()
        await cache.sweep()
        assert [path.name for path in shelf.leases.iterdir()] == [ONE.id]
        assert [path.name for path in shelf.bytecode.iterdir()] == [ONE.id]

    async def test_a_damaged_snapshot_under_lease_stays(self, cache: SnapshotCache) -> None:
        snapshot = await cache.ensure(WrittenSource(), ONE)
        with cache.lease(snapshot):
            (snapshot.root.parent / "complete").unlink()
            await cache.sweep()
            assert (snapshot.root / "flows.py").exists()
        await cache.sweep()
        assert not snapshot.root.exists()

    async def test_an_abandoned_beginning_of_a_tip_goes_once_it_is_old(self, cache: SnapshotCache) -> None:
        await cache.remember_tip(WrittenSource(), ONE)
        tips = Shelf(cache.root, "written").tips
        (tips / ".old").touch()
        (tips / ".new").touch()
        os.utime(tips / ".old", (0, 0))
        await cache.sweep()
        assert sorted(path.name for path in tips.glob(".*")) == [".new"]
        assert cache.last_tip(WrittenSource()) == ONE

    async def test_an_empty_cache_and_strangers_in_it_are_no_trouble(self, cache: SnapshotCache) -> None:
        await cache.sweep()
        (cache.root / "sources" / "lost+found").mkdir(parents=True)
        (cache.root / "sources" / "notes.txt").touch()
        await cache.sweep()
        assert below(cache.root / "sources") == ["lost+found", "notes.txt"]

    async def test_bytecode_of_a_mounted_directory_goes(self, cache: SnapshotCache, tmp_path: Path) -> None:
        project = tmp_path / "project"
        project.mkdir()
        source = LocalStorage(project)
        bytecode = cache.bytecode(await cache.ensure(source, await source.resolve()))
        await cache.sweep()
        assert not bytecode.exists()
        assert project.exists()
