"""The store of a remote repository's objects gets well by itself, and does not grow for ever."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceUnavailable
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.store import stores
from tests.sources.contract import fetched, files_in
from tests.support.git_server import GitServer, Refuse

pytestmark = pytest.mark.anyio

FILES: dict[str, str | bytes] = {"flows.py": "ANSWER = 42\n", "deep/data.txt": "data\n" * 100}


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
    repository.commit_files(FILES)
    return repository


def packs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "workspace" / "objects" / "objects" / "pack").glob("*.pack"))


def flip_a_byte(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.chmod(0o600)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize("position", [20, 60, 100, 150, -30, -5])
async def test_a_pack_with_a_wrong_byte_never_gives_other_content(
    server: GitServer, tmp_path: Path, position: int
) -> None:
    source = GitRepository(server.url("flows.git"))
    revision = await source.resolve()
    whole = files_in(await fetched(source, revision, tmp_path, name="before"))
    [pack] = packs(tmp_path)
    flip_a_byte(pack, position)
    assert files_in(await fetched(source, revision, tmp_path, name="after")) == whole


@pytest.mark.parametrize("pattern", ["objects/pack/*.pack", "objects/pack/*.idx", "HEAD", "config"])
@pytest.mark.parametrize("damage", [truncate, Path.unlink], ids=["cut", "lost"])
async def test_a_file_of_the_store_that_is_cut_or_lost_is_fetched_again(
    server: GitServer, tmp_path: Path, pattern: str, damage: object
) -> None:
    assert callable(damage)
    source = GitRepository(server.url("flows.git"))
    revision = await source.resolve()
    whole = files_in(await fetched(source, revision, tmp_path, name="before"))
    [victim] = (tmp_path / "workspace" / "objects").glob(pattern)
    damage(victim)
    assert files_in(await fetched(source, revision, tmp_path, name="after")) == whole


async def test_a_newer_commit_can_be_fetched_into_a_damaged_store(
    repository: FixtureRepository, server: GitServer, tmp_path: Path
) -> None:
    source = GitRepository(server.url("flows.git"))
    await fetched(source, await source.resolve(), tmp_path, name="before")
    [pack] = packs(tmp_path)
    flip_a_byte(pack, 60)
    repository.commit_files({**FILES, "deep/data.txt": "data\n" * 101})
    after = files_in(await fetched(source, await source.resolve(), tmp_path, name="after"))
    assert after["deep/data.txt"] == b"data\n" * 101
    assert after["flows.py"] == b"ANSWER = 42\n"


async def test_a_damaged_store_is_kept_until_the_remote_is_back(server: GitServer, tmp_path: Path) -> None:
    source = GitRepository(server.url("flows.git"))
    revision = await source.resolve()
    await fetched(source, revision, tmp_path, name="before")
    flip_a_byte(packs(tmp_path)[0], 60)
    server.misbehave(Refuse(status=503))
    with pytest.raises(SourceUnavailable):
        await fetched(source, revision, tmp_path, name="away")
    assert len(packs(tmp_path)) == 1
    server.behave()
    assert set(files_in(await fetched(source, revision, tmp_path, name="back"))) == set(FILES)


async def test_a_remote_that_is_damaged_itself_is_said_to_be(repository: FixtureRepository, tmp_path: Path) -> None:
    for loose in (repository.path / "objects").glob("[0-9a-f][0-9a-f]/*"):
        truncate(loose)
    source = GitRepository(repository.path, commit_sha=repository.tip())
    with pytest.raises(SourceUnavailable, match=r"objects that are damaged .*`git fsck`"):
        await fetched(source, await source.resolve(), tmp_path)


async def test_many_updates_do_not_make_it_grow_for_ever(
    repository: FixtureRepository, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_MOST_PACKS", 3)
    source = GitRepository(server.url("flows.git"))
    for number in range(8):
        repository.commit_files({**FILES, "flows.py": f"ANSWER = {number}\n"})
        found = files_in(await fetched(source, await source.resolve(), tmp_path, name=f"update-{number}"))
        assert found["flows.py"] == f"ANSWER = {number}\n".encode()
        assert len(packs(tmp_path)) <= 4
    assert sorted(entry.name for entry in (tmp_path / "workspace").iterdir()) == ["objects"]


async def test_what_lasts_is_not_fetched_again_however_many_updates_there_are(
    repository: FixtureRepository, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_MOST_PACKS", 4)
    lasting = {**FILES, "lasting.bin": random.Random(1).randbytes(200_000)}
    source = GitRepository(server.url("flows.git"), branch="main")
    sizes, received = [], []
    for number in range(30):
        repository.commit_files({**lasting, "flows.py": f"ANSWER = {number}\n", "deep/data.txt": f"{number}\n" * 100})
        found = files_in(await fetched(source, await source.resolve(), tmp_path, name=f"update-{number}"))
        assert (found["flows.py"], found["lasting.bin"]) == (f"ANSWER = {number}\n".encode(), lasting["lasting.bin"])
        sizes.append(sum(pack.stat().st_size for pack in packs(tmp_path)))
        received.append(server.log[-1].bytes_out)
    assert len(packs(tmp_path)) <= 5
    assert max(received[1:]) < 5_000, "only what is new is received"
    assert max(sizes) < sizes[0] + 5_000


async def test_a_store_of_which_most_is_not_needed_any_more_is_replaced(
    repository: FixtureRepository, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_MOST_PACKS", 4)
    source = GitRepository(server.url("flows.git"), branch="main")
    for number in range(12):
        repository.commit_files({"flows.py": "ANSWER = 1\n", "data.bin": random.Random(number).randbytes(50_000)})
        await fetched(source, await source.resolve(), tmp_path, name=f"update-{number}")
    assert sum(pack.stat().st_size for pack in packs(tmp_path)) < 5 * 51_000


async def test_the_shallow_boundary_does_not_grow(
    repository: FixtureRepository, server: GitServer, tmp_path: Path
) -> None:
    source = GitRepository(server.url("flows.git"))
    for number in range(4):
        repository.commit_files({**FILES, "flows.py": f"ANSWER = {number}\n"})
        await fetched(source, await source.resolve(), tmp_path, name=f"update-{number}")
    with Repo(str(tmp_path / "workspace" / "objects")) as repo:
        assert repo.get_shallow() == {repository.tip().encode()}


async def test_what_a_killed_process_left_behind_is_removed(server: GitServer, tmp_path: Path) -> None:
    source = GitRepository(server.url("flows.git"))
    for debris in ("objects.new", "objects.old"):
        (tmp_path / "workspace" / debris / "objects").mkdir(parents=True)
    await fetched(source, await source.resolve(), tmp_path)
    assert sorted(entry.name for entry in (tmp_path / "workspace").iterdir()) == ["objects"]


async def test_packs_that_were_being_received_are_removed(server: GitServer, tmp_path: Path) -> None:
    source = GitRepository(server.url("flows.git"))
    revision = await source.resolve()
    await fetched(source, revision, tmp_path, name="before")
    objects = tmp_path / "workspace" / "objects" / "objects"
    debris = [objects / "tmp_pack_x1", objects / "pack" / "tmpx2.pack"]
    for path in debris:
        path.write_bytes(b"x" * 1000)
    await fetched(source, revision, tmp_path, name="after")
    assert [path for path in debris if path.exists()] == []


@pytest.mark.parametrize("place", ["shallow.lock", "refs/heads/TIP.lock"])
async def test_a_lock_that_a_killed_process_held_is_not_waited_for(
    repository: FixtureRepository, server: GitServer, tmp_path: Path, place: str
) -> None:
    source = GitRepository(server.url("flows.git"))
    await fetched(source, await source.resolve(), tmp_path, name="before")
    store = tmp_path / "workspace" / "objects"
    [tip] = (store / "refs" / "heads").iterdir()
    (store / place.replace("TIP", tip.name)).touch()
    repository.commit_files({**FILES, "new.py": ""})
    assert "new.py" in files_in(await fetched(source, await source.resolve(), tmp_path, name="after"))
    # The store is the one that was there, not one that was fetched anew.
    assert len(packs(tmp_path)) == 2


async def test_a_store_whose_replacement_was_killed_half_way_is_the_new_one(server: GitServer, tmp_path: Path) -> None:
    source = GitRepository(server.url("flows.git"))
    revision = await source.resolve()
    await fetched(source, revision, tmp_path, name="before")
    workspace = tmp_path / "workspace"
    # As it is between the two renames: the old one aside, the new one not yet in its place.
    shutil.copytree(workspace / "objects", workspace / "objects.new")
    (workspace / "objects").rename(workspace / "objects.old")
    server.misbehave(Refuse(status=503))
    assert set(files_in(await fetched(source, revision, tmp_path, name="after"))) == set(FILES)
    assert sorted(entry.name for entry in workspace.iterdir()) == ["objects"]


async def test_a_store_that_was_killed_while_it_was_made_is_made_anew(server: GitServer, tmp_path: Path) -> None:
    source = GitRepository(server.url("flows.git"))
    (tmp_path / "workspace").mkdir()
    Repo.init_bare(str(tmp_path / "workspace" / "objects.new"), mkdir=True).close()
    assert set(files_in(await fetched(source, await source.resolve(), tmp_path))) == set(FILES)


async def test_a_branch_may_follow_one_whose_name_is_the_beginning_of_its_own(
    repository: FixtureRepository, server: GitServer, tmp_path: Path
) -> None:
    url = server.url("flows.git")
    first = repository.commit_files(FILES, branch="feature")
    source = GitRepository(url, branch="feature")
    await fetched(source, await source.resolve(), tmp_path, name="first")
    repository.set_ref("refs/heads/feature", None)
    repository.set_ref("refs/heads/feature/two", first)
    repository.commit_files({**FILES, "new.py": ""}, branch="feature/two")
    source = GitRepository(url, branch="feature/two")
    assert "new.py" in files_in(await fetched(source, await source.resolve(), tmp_path, name="second"))
