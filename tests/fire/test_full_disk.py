"""The disk is full at whatever point of a fetch: nothing half made, the space given back, and well again with room."""

from __future__ import annotations

import gc
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.file import _GitFile

from flowsource.errors import SourceError, SourceUnavailable
from flowsource.snapshots.disk import remove_tree
from flowsource.snapshots.snapshot import Snapshot
from tests.fire.length import rounds
from tests.fire.serving import Stage, debris, is_unlocked, stage, unsound
from tests.sources.contract import files_in
from tests.support.disks import SmallDisk, small_disk

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

KIB = 1024
# What an empty store and the directories of a cache take, which stay when a fetch into it failed.
_SKELETON = 256 * KIB


@pytest.fixture(autouse=True)
def unclosed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets pass that dulwich leaves a lock file it could not write to the garbage collector, who cannot either."""
    told = sys.unraisablehook

    def tell(unraisable: sys.UnraisableHookArgs) -> None:
        if not is_lock_file(unraisable.object):
            told(unraisable)

    monkeypatch.setattr(sys, "unraisablehook", tell)
    yield
    gc.collect()


def is_lock_file(left: object) -> bool:
    """Whether it is of dulwich's GitFile, which opens by descriptor, as nothing else does in a fetch."""
    if isinstance(left, io.FileIO):
        return isinstance(left.name, int)
    return getattr(left, "__qualname__", None) == _GitFile.__del__.__qualname__


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", size=32 * 1024 * KIB) as disk:
        yield disk


@pytest.fixture
def here(tmp_path: Path, disk: SmallDisk) -> Iterator[Stage]:
    """A stage whose cache is on the small disk."""
    with stage(tmp_path) as made:
        (made.home / "cache").symlink_to(disk.path)
        yield made


def change(here: Stage, seed: int) -> dict[str, str | bytes]:
    """A commit of many small files and some large ones."""
    chance = random.Random(seed)
    files: dict[str, str | bytes] = {f"{n % 7}/{n}.txt": chance.randbytes(300) for n in range(60)}
    files |= {f"large-{n}.bin": chance.randbytes(150_000) for n in range(3)}
    here.repository.commit_files(files)
    return files


async def test_wherever_it_is_full_a_cold_start_fails_clearly_and_succeeds_with_room(
    here: Stage, disk: SmallDisk
) -> None:
    files = change(here, 0)
    needed = await measured(here, disk)
    for leave in spread(needed, rounds("full disks at a cold start", short=5, full=200)):
        clear(disk)
        before = disk.used
        disk.fill(leave=leave)
        await fails(here, disk, before)
        disk.free()
        assert files_in((await here.ensure()).root) == files, leave
        assert await unsound(here.cache) == [], leave


async def test_wherever_it_is_full_an_update_fails_clearly_and_what_was_there_is_served(
    here: Stage, disk: SmallDisk
) -> None:
    change(here, 0)
    good = await here.ensure()
    whole, used = files_in(good.root), disk.used
    for number, leave in enumerate(spread(1500 * KIB, rounds("full disks at an update", short=5, full=40)), 1):
        files = change(here, number)
        before = disk.used - packs(here)
        disk.fill(leave=leave)
        try:
            newer: Snapshot | None = await here.ensure()
        except SourceUnavailable as error:
            newer = None
            assert_clear(error, here)
            assert disk.used <= before + _SKELETON + packs(here), leave
            assert debris(good.root.parents[2]) == [], leave
        # Runs go on, on what is there.
        with here.cache.lease(good):
            assert files_in(good.root) == whole, leave
        disk.free()
        newer = newer or await here.ensure()
        assert files_in(newer.root) == files, leave
        assert await unsound(here.cache) == [], leave
        remove(newer)
    assert disk.used < used + 30 * 1024 * KIB


async def fails(here: Stage, disk: SmallDisk, before: int) -> None:
    try:
        await here.ensure()
    except SourceError as error:
        assert_clear(error, here)
    assert is_unlocked_everywhere(here)
    assert disk.used <= before + _SKELETON + packs(here) or len(published(here)) == 1
    assert await unsound(here.cache) == []


def assert_clear(error: SourceError, here: Stage) -> None:
    assert isinstance(error, SourceUnavailable)
    assert "No space left on device" in str(error)
    assert "Make room there" in str(error)
    assert str(here.cache.root) in str(error)


def packs(here: Stage) -> int:
    """Bytes of the packs that are whole: they stay, and are not fetched again."""
    found = (here.home / "cache").glob("sources/*/objects/objects/pack/pack-*")
    return sum(path.stat().st_size + 4 * KIB for path in found)


async def measured(here: Stage, disk: SmallDisk) -> int:
    """What the newest commit takes on the disk in all."""
    before = disk.used
    await here.ensure()
    return disk.used - before


def spread(most: int, count: int) -> list[int]:
    return [most * place // count for place in range(count)]


def clear(disk: SmallDisk) -> None:
    for left in disk.path.iterdir():
        remove_tree(left)


def published(here: Stage) -> list[Path]:
    return list((here.home / "cache").glob("sources/*/snapshots/*/complete"))


def remove(snapshot: Snapshot) -> None:
    remove_tree(snapshot.root.parent)


def is_unlocked_everywhere(here: Stage) -> bool:
    return all(is_unlocked(workspace) for workspace in (here.home / "cache").glob("sources/*"))
