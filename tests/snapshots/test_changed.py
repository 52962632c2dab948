"""A snapshot that somebody changed after it was published is not believed."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from flowsource.errors import SourceUnavailable
from flowsource.snapshots import manifest, publishing
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.locks import try_lock
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.content import Entry
from tests.snapshots.written import ONE, TREE, TWO, WrittenSource, below, fetches

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def change(snapshot: Snapshot) -> None:
    """Write into `snapshot` as a run of root may, leaving no trace but the content: same size, mode and time."""
    file = snapshot.root / "flows.py"
    facts = file.stat()
    file.chmod(0o644)
    file.write_text("ANSWER = 43\n")
    file.chmod(facts.st_mode)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


async def test_the_next_process_fetches_it_again_and_says_what_was_changed(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(await SnapshotCache(root).ensure(WrittenSource(), ONE))
    snapshot = await SnapshotCache(root).ensure(WrittenSource(), ONE)
    assert (snapshot.root / "flows.py").read_text() == TREE["flows.py"]
    assert below(root / "sources" / "written" / "staging") == []
    [told] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "flows.py. It is fetched again" in told


async def test_the_first_paths_are_told_in_signs_that_steer_no_terminal(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = await SnapshotCache(root).ensure(WrittenSource(), ONE)
    snapshot.root.chmod(0o755)
    for number in range(50):
        (snapshot.root / f"written-{number:02}\x1b[2J").touch()
    await SnapshotCache(root).ensure(WrittenSource(), ONE)
    assert r"written-00\x1b[2J, written-01\x1b[2J, written-02\x1b[2J and 47 more." in caplog.text
    assert "written-03" not in caplog.text


async def test_under_a_run_it_is_used_as_it_is_and_told_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = SnapshotCache(root)
    snapshot = await before.ensure(WrittenSource(), ONE)
    with before.lease(snapshot):
        change(snapshot)
        after = SnapshotCache(root)
        assert await after.ensure(WrittenSource(), ONE) == snapshot
        assert await after.ensure(WrittenSource(), ONE) == snapshot
    assert (snapshot.root / "flows.py").read_text() == "ANSWER = 43\n"
    assert caplog.text.count("flows.py. It is used as it is, because a run still uses it.") == 1


async def test_it_is_not_used_where_it_cannot_be_fetched_again(root: Path) -> None:
    async def fail(_: Path) -> None:
        raise SourceUnavailable("the remote is away")

    change(await SnapshotCache(root).ensure(WrittenSource(), ONE))
    with pytest.raises(SourceUnavailable, match="away"):
        await SnapshotCache(root).ensure(WrittenSource(then=fail), ONE)
    assert SnapshotCache(root).find("written", ONE) is None


async def test_what_is_intact_needs_no_lock_and_no_fetch(root: Path) -> None:
    snapshot = await SnapshotCache(root).ensure(WrittenSource(), ONE)
    with try_lock(root / "sources" / "written" / "lock"):
        assert await SnapshotCache(root).ensure(WrittenSource(), ONE) == snapshot
    assert len(fetches(root)) == 1


async def test_each_snapshot_is_looked_at_once_however_many_ask(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def verify(snapshot: Snapshot) -> tuple[str, ...]:
        looked.append(snapshot.revision)
        return original(snapshot)

    original = publishing.verify
    monkeypatch.setattr(publishing, "verify", verify)
    cache = SnapshotCache(root)
    await cache.ensure(WrittenSource(), ONE)
    await cache.ensure(WrittenSource(), ONE)
    assert looked == [], "what we have published we know"
    await SnapshotCache(root).ensure(WrittenSource(), TWO)
    async with anyio.create_task_group() as tasks:
        for revision in (ONE, TWO) * 3:
            tasks.start_soon(cache.ensure, WrittenSource(), revision)
    assert looked == [TWO]


async def test_one_that_goes_while_it_is_looked_at_is_fetched_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await SnapshotCache(root).ensure(WrittenSource(), ONE)

    def lose_it(expected: Sequence[Entry], tree: Path) -> tuple[str, ...]:
        monkeypatch.undo()
        tree.parent.rename(root / "gone")
        return manifest.differences(expected, tree)

    monkeypatch.setattr(manifest, "differences", lose_it)
    snapshot = await SnapshotCache(root).ensure(WrittenSource(), ONE)
    assert (snapshot.root / "flows.py").exists()
    assert len(fetches(root)) == 2
