"""Files that Git LFS keeps come in place of their pointers."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceInvalid
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import fetched, written
from tests.sources.git_lfs.model import MODEL
from tests.support.git_server import GitServer
from tests.support.lfs import LfsObjects, oid_of, pointer_to

pytestmark = pytest.mark.anyio


class TestFetching:
    async def test_files_come_in_place_of_their_pointers(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"flows.py": "\n", "models/one.bin": objects.add(MODEL), "empty": objects.add(b"")})
        source = GitRepository(server.url("flows.git"))
        assert await written(source, tmp_path) == {"flows.py": b"\n", "models/one.bin": MODEL, "empty": b""}

    async def test_the_mode_is_that_of_the_pointer(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        tree = tmp_path / "01-tool"
        tree.mkdir()
        (tree / "tool").write_text(objects.add(MODEL))
        (tree / "tool").chmod(0o755)
        repository.commit(tree)
        source = GitRepository(server.url("flows.git"))
        found = await fetched(source, await source.resolve(), tmp_path)
        assert (found / "tool").stat().st_mode & 0o777 == 0o555

    async def test_a_file_that_is_there_twice_is_downloaded_once(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"a.bin": objects.add(MODEL), "b.bin": pointer_to(MODEL)})
        assert await written(GitRepository(server.url("flows.git")), tmp_path) == {"a.bin": MODEL, "b.bin": MODEL}
        assert sum(exchange.path.startswith("/objects/") for exchange in server.log) == 1

    async def test_a_hundred_are_asked_for_at_once(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        contents = {f"{number}.bin": b"%d" % number for number in range(130)}
        repository.commit_files({name: objects.add(content) for name, content in contents.items()})
        assert await written(GitRepository(server.url("flows.git")), tmp_path) == contents
        assert [len(batch) for batch in objects.asked] == [100, 30]

    async def test_one_that_an_earlier_snapshot_has_is_not_downloaded_again(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        cache, source = SnapshotCache(tmp_path / "cache"), GitRepository(server.url("flows.git"))
        repository.commit_files({"model.bin": objects.add(MODEL), "flows.py": "A = 1\n"})
        await cache.ensure(source, await source.resolve())
        server.log.clear()
        repository.commit_files({"model.bin": pointer_to(MODEL), "flows.py": "A = 2\n"})
        snapshot = await cache.ensure(source, await source.resolve())
        assert (snapshot.root / "model.bin").read_bytes() == MODEL
        assert not any("objects" in exchange.path for exchange in server.log)
        assert await cache.verify(snapshot) == ()

    async def test_only_the_directories_that_are_taken_are_asked_for(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"flows/a.bin": objects.add(b"wanted"), "other/b.bin": objects.add(b"unwanted")})
        source = GitRepository(server.url("flows.git"), directories=["flows"])
        assert await written(source, tmp_path) == {"flows/a.bin": b"wanted"}
        assert objects.asked == [[oid_of(b"wanted")]]

    async def test_without_it_the_pointers_stay(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"model.bin": objects.add(MODEL)})
        source = GitRepository(server.url("flows.git"), include_lfs=False)
        assert await written(source, tmp_path) == {"model.bin": pointer_to(MODEL).encode()}
        assert not objects.asked

    async def test_with_and_without_are_two_snapshots_and_neither_takes_from_the_other(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"model.bin": objects.add(MODEL)})
        cache = SnapshotCache(tmp_path / "cache")
        found = []
        for include in (False, True, False):
            source = GitRepository(server.url("flows.git"), include_lfs=include)
            snapshot = await cache.ensure(source, await source.resolve())
            found.append((snapshot.root / "model.bin").read_bytes())
        assert found == [pointer_to(MODEL).encode(), MODEL, pointer_to(MODEL).encode()]

    async def test_a_directory_gives_what_git_lfs_keeps_in_it(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        oid = oid_of(MODEL)
        place = repository.path / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        place.parent.mkdir(parents=True)
        place.write_bytes(MODEL)
        repository.commit_files({"model.bin": pointer_to(MODEL), "empty": pointer_to(b"")})
        assert await written(GitRepository(repository.path), tmp_path) == {"model.bin": MODEL, "empty": b""}

    async def test_a_directory_without_it_says_how_to_get_it(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"model.bin": pointer_to(MODEL)})
        with pytest.raises(SourceInvalid, match=r"'model\.bin' is kept in Git LFS: .*git lfs fetch --all.*include_lfs"):
            await written(GitRepository(repository.path), tmp_path)

    async def test_a_server_of_its_own_on_the_same_host_is_asked(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        config = f"[lfs]\n\turl = {server.url('kept/here')}\n"
        repository.commit_files({"model.bin": objects.add(MODEL), ".lfsconfig": config})
        assert (await written(GitRepository(server.url("flows.git")), tmp_path))["model.bin"] == MODEL
        assert "/kept/here/objects/batch" in [exchange.path for exchange in server.log]


async def test_a_repository_with_files_of_git_itself_alone_asks_for_nothing(
    server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
) -> None:
    repository.commit_files({"flows.py": "\n"})
    await written(GitRepository(server.url("flows.git")), tmp_path)
    assert not objects.asked
