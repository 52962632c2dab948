"""A snapshot is published whole, once, and never changes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from flowsource.errors import InvalidInput, SourceInvalid, SourceMissing, SourceUnavailable, UnsafeTree
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.locks import try_lock
from flowsource.sources.local import LocalStorage
from tests.snapshots.refusing import nothing_can_be_opened, nothing_can_be_written
from tests.snapshots.written import ONE, TREE, TWO, WrittenSource, below, fetches, make_foreign
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path) -> SnapshotCache:
    return SnapshotCache(tmp_path / "cache")


def staging(cache: SnapshotCache) -> list[str]:
    return below(cache.root / "sources" / "written" / "staging")


async def test_a_snapshot_holds_what_the_source_gave(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    assert below(snapshot.root) == ["bin", "bin/run.sh", "data", "data/latest", "data/rows.csv", "flows.py"]
    assert (snapshot.root / "flows.py").read_text() == TREE["flows.py"]
    assert os.readlink(snapshot.root / "data" / "latest") == "rows.csv"
    assert snapshot.revision == ONE
    assert not snapshot.is_mounted


async def test_no_permission_to_write_is_left_on_anything(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    modes = {
        str(path.relative_to(snapshot.root)): stat.S_IMODE(path.lstat().st_mode)
        for path in [snapshot.root, *snapshot.root.rglob("*")]
        if not path.is_symlink()
    }
    assert modes == {
        ".": 0o555,
        "bin": 0o555,
        "bin/run.sh": 0o555,
        "data": 0o555,
        "data/rows.csv": 0o444,
        "flows.py": 0o444,
    }


async def test_every_directory_of_the_cache_is_its_owners_alone(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    cache.bytecode(snapshot)
    cache.lease(snapshot).release()
    ours = [path for path in cache.root.rglob("*") if path.is_dir() and not path.is_relative_to(snapshot.root)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in [cache.root, *ours]} == {0o700}


async def test_what_is_published_is_given_without_fetch_or_lock(cache: SnapshotCache) -> None:
    first = await cache.ensure(WrittenSource(), ONE)
    with try_lock(cache.root / "sources" / "written" / "lock") as is_held:
        assert is_held
        assert await cache.ensure(WrittenSource(), ONE) == first
        assert cache.find("written", ONE) == first
    assert len(fetches(cache.root)) == 1


async def test_the_facts_that_the_fetch_found_stay_with_the_snapshot(cache: SnapshotCache) -> None:
    await cache.ensure(WrittenSource(), replace(ONE, ref="refs/heads/main"))
    found = cache.find("written", replace(ONE, ref="refs/heads/next"))
    assert found is not None
    assert found.revision.subject == "Answer"
    assert found.revision.ref == "refs/heads/next", "the ref is the one that led here now"


async def test_tasks_that_want_one_revision_share_one_fetch(cache: SnapshotCache) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(cache.ensure, WrittenSource(), ONE)
    assert len(fetches(cache.root)) == 1


async def test_processes_that_want_one_revision_share_one_fetch(cache: SnapshotCache) -> None:
    asking = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.snapshots.asking", cache.root], cwd=REPOSITORY, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == b"asking\n"
    await until(lambda: len(fetches(cache.root)) == 1)
    (cache.root / "go").touch()
    roots = [process.communicate()[0] for process in asking]
    assert [process.returncode for process in asking] == [0, 0]
    assert roots[0] == roots[1] != b""
    assert len(fetches(cache.root)) == 1


async def test_parts_of_one_commit_are_snapshots_of_their_own(cache: SnapshotCache) -> None:
    part = replace(ONE, content="directories=flows")
    whole = await cache.ensure(WrittenSource(), ONE)
    other = await cache.ensure(WrittenSource({"flows.py": ""}), part)
    assert below(other.root) == ["flows.py"]
    assert whole.root != other.root


@pytest.mark.parametrize("hostile", ["../../etc", "1" * 39, "", "1" * 40 + "/x", "1" * 40 + "\n"])
async def test_a_revision_that_is_no_identifier_never_becomes_a_path(cache: SnapshotCache, hostile: str) -> None:
    with pytest.raises(InvalidInput, match="40 or 64"):
        await cache.ensure(WrittenSource(), Revision(id=hostile))
    with pytest.raises(InvalidInput, match="source key"):
        await cache.ensure(WrittenSource(key="../x"), ONE)
    assert below(cache.root) == []


async def test_a_fetch_that_fails_leaves_nothing(cache: SnapshotCache) -> None:
    async def fail(_: Path) -> None:
        raise SourceUnavailable("the remote went away")

    with pytest.raises(SourceUnavailable, match="went away"):
        await cache.ensure(WrittenSource(then=fail), ONE)
    assert staging(cache) == []
    assert cache.find("written", ONE) is None
    await cache.ensure(WrittenSource(), ONE)


async def test_a_fetch_that_is_cancelled_leaves_nothing(cache: SnapshotCache) -> None:
    with anyio.CancelScope() as scope:

        async def cancel(_: Path) -> None:
            scope.cancel()
            await anyio.sleep_forever()

        await cache.ensure(WrittenSource(then=cancel), ONE)
    assert scope.cancelled_caught
    assert staging(cache) == []
    assert cache.find("written", ONE) is None
    await cache.ensure(WrittenSource(), ONE)


async def test_waiting_for_another_fetch_can_be_cancelled(cache: SnapshotCache) -> None:
    await cache.ensure(WrittenSource(), ONE)
    with try_lock(cache.root / "sources" / "written" / "lock"):
        with anyio.move_on_after(0.1) as scope:
            await cache.ensure(WrittenSource(), TWO)
        assert scope.cancelled_caught
    await cache.ensure(WrittenSource(), TWO)


async def test_a_tree_that_must_not_be_written_leaves_nothing_behind(cache: SnapshotCache) -> None:
    with pytest.raises(UnsafeTree, match=r"'\.\.'"):
        await cache.ensure(WrittenSource({"data/rows.csv": "1", "../outside": "x"}), ONE)
    assert staging(cache) == []
    assert cache.find("written", ONE) is None


@pytest.mark.parametrize("damage", ["missing", "torn", "of no format"])
async def test_a_directory_without_its_marker_is_garbage_and_replaced(cache: SnapshotCache, damage: str) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    marker = snapshot.root.parent / "complete"
    if damage == "missing":
        marker.unlink()
    elif damage == "torn":
        marker.write_text(marker.read_text()[:20])
    else:
        marker.write_text("{}")
    assert cache.find("written", ONE) is None
    again = await cache.ensure(WrittenSource({"flows.py": "whole again\n"}), ONE)
    assert below(again.root) == ["flows.py"]
    assert staging(cache) == []


async def test_what_another_version_published_is_neither_used_nor_replaced(cache: SnapshotCache) -> None:
    theirs = await cache.ensure(WrittenSource(), ONE)
    make_foreign(theirs)
    assert cache.find("written", ONE) is None
    with pytest.raises(SourceInvalid, match=r"another version of flowsource.*FLOWSOURCE_CACHE"):
        await cache.ensure(WrittenSource(), ONE)
    assert (theirs.root / "flows.py").exists()
    assert len(fetches(cache.root)) == 1, "it is known before anything is fetched"
    await cache.ensure(WrittenSource(), TWO)


async def test_a_damaged_snapshot_is_not_replaced_under_a_run(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    with cache.lease(snapshot):
        (snapshot.root.parent / "complete").unlink()
        with pytest.raises(SourceUnavailable, match="a run still uses it"):
            await cache.ensure(WrittenSource(), ONE)
        assert (snapshot.root / "flows.py").exists()
    await cache.ensure(WrittenSource(), ONE)


async def test_verify_names_what_is_not_as_published(cache: SnapshotCache) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    assert await cache.verify(snapshot) == ()
    for directory in (snapshot.root, snapshot.root / "data", snapshot.root / "bin"):
        directory.chmod(0o755)
    (snapshot.root / "flows.py").chmod(0o644)
    (snapshot.root / "flows.py").write_text("ANSWER = 43\n")
    (snapshot.root / "data" / "rows.csv").unlink()
    (snapshot.root / "data" / "latest").unlink()
    (snapshot.root / "data" / "latest").symlink_to("elsewhere")
    (snapshot.root / "bin" / "run.sh").chmod(0o755)
    os.mkfifo(snapshot.root / "extra")
    assert await cache.verify(snapshot) == ("bin/run.sh", "data/latest", "data/rows.csv", "extra", "flows.py")
    (snapshot.root.parent / "manifest.json").write_text("{}")
    assert await cache.verify(snapshot) == ("manifest.json",)


async def test_file_names_that_are_no_utf8_come_through(cache: SnapshotCache) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    snapshot = await cache.ensure(WrittenSource({name: "x"}), ONE)
    assert (snapshot.root / name).read_text() == "x"
    assert await cache.verify(snapshot) == ()


async def test_a_mounted_directory_is_used_in_place(cache: SnapshotCache, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    source = LocalStorage(project)
    snapshot = await cache.ensure(source, await source.resolve())
    assert (snapshot.root, snapshot.is_mounted) == (project, True)
    with cache.lease(snapshot) as lease:
        assert os.fstat(lease.fileno()).st_ino == project.stat().st_ino
    project.rmdir()
    with pytest.raises(SourceMissing, match="project"):
        cache.lease(snapshot)


async def test_a_lease_that_the_system_refuses_says_what_to_do(cache: SnapshotCache, tmp_path: Path) -> None:
    snapshot = await cache.ensure(WrittenSource(), ONE)
    source = LocalStorage(tmp_path)
    mounted = await cache.ensure(source, await source.resolve())
    for refused in (snapshot, mounted):
        with nothing_can_be_opened(), pytest.raises(SourceUnavailable, match=r"Too many open files.*ulimit -n"):
            cache.lease(refused)
        cache.lease(refused).release()


async def test_the_states_of_a_mounted_directory_share_their_bytecode(cache: SnapshotCache, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    source = LocalStorage(project)
    before = cache.bytecode(await cache.ensure(source, await source.resolve()))
    (project / "flows.py").touch()
    assert cache.bytecode(await cache.ensure(source, await source.resolve())) == before


async def test_the_last_tip_is_known_after_a_restart(cache: SnapshotCache) -> None:
    source = WrittenSource()
    assert cache.last_tip(source) is None
    await cache.remember_tip(source, ONE)
    await cache.remember_tip(source, replace(TWO, ref="refs/heads/main"))
    tip = SnapshotCache(cache.root).last_tip(source)
    assert tip == TWO
    assert tip.ref == "refs/heads/main"


async def test_a_torn_tip_is_no_tip(cache: SnapshotCache) -> None:
    source = WrittenSource()
    await cache.remember_tip(source, ONE)
    [file] = (cache.root / "sources" / "written" / "tips").iterdir()
    file.write_text(file.read_text()[:30])
    assert cache.last_tip(source) is None


async def test_a_full_disk_stops_nobody_over_a_tip(cache: SnapshotCache, caplog: pytest.LogCaptureFixture) -> None:
    source = WrittenSource()
    await cache.remember_tip(source, ONE)
    with nothing_can_be_written():
        await cache.remember_tip(source, ONE)
        assert caplog.text == "", "what is known is not written again"
        await cache.remember_tip(source, TWO)
    assert f"that {TWO.short} was its last revision could not be kept" in caplog.text
    assert cache.last_tip(source) == ONE
    assert len(below(cache.root / "sources" / "written" / "tips")) == 1


async def test_a_tip_with_news_but_of_the_same_revision_is_kept(cache: SnapshotCache) -> None:
    await cache.remember_tip(WrittenSource(), ONE)
    await cache.remember_tip(WrittenSource(), replace(ONE, ref="refs/heads/renamed"))
    tip = cache.last_tip(WrittenSource())
    assert tip is not None
    assert tip.ref == "refs/heads/renamed"


async def test_a_selector_need_not_be_text(cache: SnapshotCache) -> None:
    source = WrittenSource()
    source.selector = os.fsdecode(b"branch caf\xe9")
    await cache.remember_tip(source, ONE)
    assert cache.last_tip(source) == ONE


async def test_part_of_a_commit_need_not_be_text(cache: SnapshotCache) -> None:
    part = replace(ONE, content=os.fsdecode(b"directories=caf\xe9"))
    await cache.ensure(WrittenSource(), part)
    assert cache.find("written", part) is not None


async def test_each_selector_has_a_tip_of_its_own(cache: SnapshotCache) -> None:
    main, other = WrittenSource(), WrittenSource()
    other.selector = "branch feature/with/slashes " + "x" * 300
    await cache.remember_tip(main, ONE)
    await cache.remember_tip(other, TWO)
    assert (cache.last_tip(main), cache.last_tip(other)) == (ONE, TWO)
