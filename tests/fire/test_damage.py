"""What is on the disk is damaged, by whatever hand: found out, made good, and never served."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceUnavailable
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.git.repository import GitRepository
from tests.fire.length import rounds, some
from tests.fire.serving import FILES, Stage, debris, stage, unsound
from tests.sources.contract import files_in
from tests.support.git_server import Refuse

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

WHOLE = {path: content.encode() if isinstance(content, str) else content for path, content in FILES.items()}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as made:
        yield made


def store_of(snapshot: Snapshot) -> Path:
    return snapshot.root.parents[2] / "objects"


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.chmod(0o600)
    path.write_bytes(data)


async def is_well(here: Stage, good: Snapshot) -> None:
    """The snapshot that was there is as it was, and one of a newer commit can be had."""
    assert files_in(good.root) == WHOLE
    assert await here.cache.verify(good) == ()
    number = len(os.listdir(good.root.parents[1]))
    here.repository.commit_files({**FILES, "new.py": f"ANSWER = {number}\n"})
    newer = await here.ensure()
    assert files_in(newer.root) == {**WHOLE, "new.py": f"ANSWER = {number}\n".encode()}
    assert await unsound(here.cache) == []
    assert debris(good.root.parents[2]) == []


@pytest.mark.parametrize("kind", ["pack", "idx"])
async def test_a_flipped_bit_anywhere_in_the_store_never_reaches_a_snapshot(here: Stage, kind: str) -> None:
    good = await here.ensure()
    [victim] = store_of(good).glob(f"objects/pack/*.{kind}")
    pristine = store_of(good).with_name("pristine")
    shutil.copytree(store_of(good), pristine)
    size, count = victim.stat().st_size, rounds(f"flipped bits ({kind})", short=4, full=600)
    for number in range(count):
        shutil.rmtree(store_of(good))
        shutil.copytree(pristine, store_of(good))
        flip(victim, size * number // count, number % 8)
        # The same commit once more, for another part of it: this reads from the store.
        part = await here.ensure(here.first, directories=["deep/down"])
        assert files_in(part.root) == WHOLE, number
        shutil.move(part.root.parent, here.home / "aside")
        _remove(here.home / "aside")
    assert await here.cache.verify(good) == ()
    shutil.rmtree(pristine)
    await is_well(here, good)


async def test_a_flipped_bit_in_a_snapshot_is_found_by_the_next_process_and_fetched_again(here: Stage) -> None:
    good = await here.ensure()
    for path in sorted(good.root.rglob("*.*")):
        for place in {0, path.stat().st_size - 1}:
            flip(path, place, 3)
            assert await here.cache.verify(good) == (str(path.relative_to(good.root)),)
            assert files_in((await here.ensure()).root) == WHOLE
    await is_well(here, good)


async def test_locks_and_half_packs_that_somebody_left_are_in_nobodys_way(here: Stage) -> None:
    good = await here.ensure()
    store = store_of(good)
    heads = [path for path in (store / "refs" / "heads").iterdir() if path.is_file()]
    planted = ["index.lock", "shallow.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "objects/pack/tmp_pack_1"]
    planted += ["objects/pack/tmp_idx_1", "objects/ab/tmp_obj_1", "objects/pack/tmp_" + "0" * 32]
    planted += [f"{path.relative_to(store)}.lock" for path in heads]
    for name in planted:
        (store / name).parent.mkdir(exist_ok=True)
        (store / name).write_bytes(b"left")
    await is_well(here, good)
    assert [name for name in planted if (store / name).exists()] == []


async def test_packs_without_an_index_and_an_index_without_its_pack_are_in_nobodys_way(here: Stage) -> None:
    good = await here.ensure()
    packs = store_of(good) / "objects" / "pack"
    (packs / f"pack-{'1' * 40}.pack").write_bytes(b"PACK")
    (packs / f"pack-{'2' * 40}.idx").write_bytes(b"\xfftOc\0\0\0\2")
    (packs / f"pack-{'3' * 40}.pack").write_bytes(b"PACK")
    (packs / f"pack-{'3' * 40}.idx").write_bytes(b"")
    await is_well(here, good)


def replaced_by_a_file(store: Path) -> None:
    shutil.rmtree(store)
    store.write_bytes(b"a file")


def replaced_by_a_link(store: Path) -> None:
    store.rename(store.with_name("moved"))
    store.symlink_to("nowhere")


def replaced_by_a_link_to_itself(store: Path) -> None:
    shutil.rmtree(store)
    store.symlink_to(store.name)


def of_another_repository(store: Path) -> None:
    shutil.rmtree(store)
    FixtureRepository.create(store).commit_files({"other.py": "ANSWER = 0\n"})


def of_the_other_kind_of_ids(store: Path) -> None:
    config = store / "config"
    config.write_text(
        config.read_text() + "[extensions]\n\tobjectformat = sha256\n[core]\n\trepositoryformatversion = 1\n"
    )


def empty(store: Path) -> None:
    shutil.rmtree(store)
    store.mkdir()


def without_objects(store: Path) -> None:
    shutil.rmtree(store / "objects")


def with_nonsense_for_refs(store: Path) -> None:
    for path in (store / "refs" / "heads").iterdir():
        path.write_bytes(b"\xff\xff not an id\n")
    (store / "packed-refs").write_bytes(b"^^^\n")
    (store / "shallow").write_bytes(b"nonsense\n")


def with_tips_that_are_not_there(store: Path) -> None:
    (store / "refs" / "heads" / "lost").write_text("12" * 20 + "\n")
    (store / "shallow").write_text("34" * 20 + "\n")


def with_files_beside_it(store: Path) -> None:
    store.with_name("objects.new").write_bytes(b"a file")
    store.with_name("objects.old").write_bytes(b"a file")
    shutil.rmtree(store)


def that_borrows_from_elsewhere(store: Path) -> None:
    (store / "objects" / "info").mkdir(exist_ok=True)
    (store / "objects" / "info" / "alternates").write_text("/nowhere/at/all\n")


DAMAGES = [
    shutil.rmtree,
    replaced_by_a_file,
    replaced_by_a_link,
    replaced_by_a_link_to_itself,
    of_another_repository,
    of_the_other_kind_of_ids,
    empty,
    without_objects,
    with_nonsense_for_refs,
    with_tips_that_are_not_there,
    with_files_beside_it,
    that_borrows_from_elsewhere,
]


@pytest.mark.parametrize("damage", some("damages of a store", DAMAGES, every=2), ids=lambda damage: damage.__name__)
async def test_a_store_that_is_not_what_it_was_is_made_anew_and_snapshots_are_left_alone(
    here: Stage, damage: Callable[[Path], object]
) -> None:
    good = await here.ensure()
    damage(store_of(good))
    await is_well(here, good)


async def test_a_damaged_store_harms_nobody_while_the_remote_is_away(here: Stage) -> None:
    good = await here.ensure()
    here.repository.commit_files({"flows.py": "ANSWER = 42\n"})
    newest = here.repository.tip()
    replaced_by_a_file(store_of(good))
    here.server.misbehave(Refuse(status=503))
    with pytest.raises(SourceUnavailable):
        await here.ensure(newest)
    assert files_in((await here.ensure(here.first)).root) == WHOLE
    here.server.behave()
    assert files_in((await here.ensure(newest)).root) == {"flows.py": b"ANSWER = 42\n"}


async def test_a_configuration_of_git_that_is_broken_concerns_nobody_but_git(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.home / ".gitconfig").write_text("[init\n  defaultBranch")
    monkeypatch.setenv("HOME", str(here.home))
    good = await here.ensure()
    assert files_in(good.root) == WHOLE
    source = GitRepository(here.repository.path, branch="main")
    assert files_in((await here.cache.ensure(source, await source.resolve())).root) == WHOLE
    await is_well(here, good)


PAPERS = [None, b"", b"{", b"[]", b'{"format": 2}', b"\xff"]


@pytest.mark.parametrize("name", ["complete", "manifest.json"])
@pytest.mark.parametrize("content", some("damaged papers", PAPERS, every=3), ids=repr)
async def test_a_snapshot_whose_papers_are_lost_or_damaged_is_fetched_again(
    here: Stage, name: str, content: bytes | None
) -> None:
    good = await here.ensure()
    paper = good.root.parent / name
    if content is None:
        paper.unlink()
    else:
        paper.write_bytes(content)
    assert files_in((await here.ensure()).root) == WHOLE
    await is_well(here, good)


def _remove(directory: Path) -> None:
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(directory)
