"""Whoever can write to the cache decides what code runs, so it must be ours alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from flowsource.errors import InvalidSettings
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.local import LocalStorage
from tests.snapshots.refusing import nothing_can_be_written
from tests.snapshots.written import WrittenSource

pytestmark = pytest.mark.anyio


def test_a_missing_root_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    cache = SnapshotCache(tmp_path / "not" / "there" / "yet")
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700


def test_a_root_on_a_full_disk_is_no_less_good(tmp_path: Path) -> None:
    with nothing_can_be_written():
        assert SnapshotCache(tmp_path).root == tmp_path


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_root_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(InvalidSettings, match=f"{mode:04o}.*FLOWSOURCE_CACHE"):
        SnapshotCache(tmp_path)


def test_a_root_of_another_user_is_refused(tmp_path: Path) -> None:
    root = Path("/")
    if os.geteuid() == 0:
        root = tmp_path / "theirs"
        root.mkdir()
        os.chown(root, 65534, 65534)
    with pytest.raises(InvalidSettings, match=r"another user.*FLOWSOURCE_CACHE"):
        SnapshotCache(root)


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(InvalidSettings, match="cannot be used: File exists"):
        SnapshotCache(tmp_path / "cache")


async def test_a_root_inside_a_watched_directory_is_no_part_of_it(tmp_path: Path) -> None:
    project = LocalStorage(tmp_path)
    before = await project.resolve()
    await SnapshotCache(tmp_path / "cache").ensure(WrittenSource(), Revision(id="1" * 64))
    assert await project.resolve() == before
