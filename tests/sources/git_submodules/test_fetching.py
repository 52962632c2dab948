"""Submodules are taken along when that is asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceInvalid
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import fetched, files_in
from tests.sources.git_submodules.laid import (
    DIRECTORY,
    FILE,
    LIBRARY,
    SUBMODULE,
    commit_with,
    flows,
    library,
    library_tip,
    section,
    written,
)
from tests.support.git_server import GitServer
from tests.support.lfs import LfsObjects
from tests.support.repositories import add_blob, add_tree

pytestmark = pytest.mark.anyio


class TestFetching:
    async def test_a_submodule_comes_at_the_commit_that_is_named(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        old = library(served).tip()
        library_now = FixtureRepository(served / "library.git")
        library_now.commit_files({"library.py": "VALUE = 2\n", "new.py": "\n"})
        flows(served, section("lib", "../library.git"), {"lib": old})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        assert await written(source, tmp_path) == LIBRARY
        assert (tmp_path / "fetched/lib/library.py").read_text() == "VALUE = 1\n"

    async def test_without_asking_it_is_an_empty_directory_and_nobody_is_asked_for_it(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        assert await written(GitRepository(server.url("flows.git")), tmp_path) == set()
        assert list((tmp_path / "fetched/lib").iterdir()) == []
        assert not any("library" in exchange.path for exchange in server.log)

    async def test_both_are_revisions_of_their_own(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        cache = SnapshotCache(tmp_path / "cache")
        found = []
        for include in (False, True):
            source = GitRepository(server.url("flows.git"), include_submodules=include)
            snapshot = await cache.ensure(source, await source.resolve())
            found.append((snapshot.root / "lib/library.py").exists())
            assert await cache.verify(snapshot) == ()
        assert found == [False, True]

    async def test_submodules_of_submodules_come_too(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        middle = FixtureRepository.create(served / "middle.git")
        commit_with(middle, section("inner", "../library.git"), {"inner": library(served).tip()})
        flows(served, section("outer/one", "../middle.git"), {"outer/one": middle.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        assert await written(source, tmp_path) == {
            "outer/one/.gitmodules",
            "outer/one/flows.py",
            "outer/one/inner/library.py",
            "outer/one/inner/deep/inner.py",
        }

    async def test_it_equals_what_git_clones(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        middle = FixtureRepository.create(served / "group/middle.git")
        commit_with(middle, section("inner", "../../library.git"), {"inner": library(served).tip()})
        text = section("a", "./../group/middle.git/") + section("b/c", server.url("library.git"), name="other")
        flows(served, text, {"a": middle.tip(), "b/c": library_tip(served)})
        environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "clone", "-q", "--recurse-submodules", server.url("flows.git"), str(tmp_path / "by-git")]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        by_git = {
            path: content for path, content in files_in(tmp_path / "by-git").items() if ".git" not in Path(path).parts
        }
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        assert files_in(await fetched(source, await source.resolve(), tmp_path)) == by_git
        assert "a/inner/deep/inner.py" in by_git

    async def test_a_submodule_below_the_url_is_found(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        repository = FixtureRepository.create(served / "flows.git")
        inner = library(served, "flows.git/modules/inner.git")
        commit_with(repository, section("lib", "./modules/inner.git"), {"lib": inner.tip()})
        assert await written(GitRepository(server.url("flows.git"), include_submodules=True), tmp_path) == LIBRARY

    async def test_from_a_directory_they_are_read_where_they_are(self, served: Path, tmp_path: Path) -> None:
        repository = flows(
            served,
            section("lib", "../library.git") + section("two", str(served / "library.git"), name="two"),
            {"lib": (tip := library(served).tip()), "two": tip},
        )
        source = GitRepository(repository.path, include_submodules=True)
        assert await written(source, tmp_path) == LIBRARY | {"two/library.py", "two/deep/inner.py"}

    async def test_files_of_git_lfs_in_a_submodule_come_from_its_own_server(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        server.beside = objects = LfsObjects(href=lambda oid: server.url(f"objects/{oid}"))
        repository = FixtureRepository.create(served / "library.git")
        repository.commit_files({"model.bin": objects.add(b"large")})
        flows(served, section("lib", "../library.git"), {"lib": repository.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        await written(source, tmp_path)
        assert (tmp_path / "fetched/lib/model.bin").read_bytes() == b"large"
        assert "/library.git/info/lfs/objects/batch" in [exchange.path for exchange in server.log]

    async def test_what_was_fetched_before_is_not_fetched_again(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        tip = library(served).tip()
        repository = flows(served, section("lib", "../library.git"), {"lib": tip})
        cache, source = (
            SnapshotCache(tmp_path / "cache"),
            GitRepository(server.url("flows.git"), include_submodules=True),
        )
        await cache.ensure(source, await source.resolve())
        server.log.clear()
        commit_with(repository, section("lib", "../library.git") + "# changed\n", {"lib": tip})
        snapshot = await cache.ensure(source, await source.resolve())
        assert (snapshot.root / "lib/library.py").exists()
        assert not any("library" in exchange.path for exchange in server.log)

    async def test_a_store_of_one_that_is_damaged_is_fetched_anew(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        inner = library(served)
        middle = FixtureRepository.create(served / "middle.git")
        commit_with(middle, section("inner", "../library.git"), {"inner": inner.tip()})
        flows(served, section("lib", "../middle.git"), {"lib": middle.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        before = await written(source, tmp_path)
        stores = tmp_path / "workspace" / "submodules"
        packs = list(stores.rglob("*.pack"))
        assert len(packs) == 2
        for pack in packs:
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:40] + b"\0" * 100)
        again = files_in(await fetched(source, await source.resolve(), tmp_path, name="again"))
        assert before and before < set(again)

    async def test_the_store_of_one_that_nobody_asks_for_any_more_is_removed(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        old, new = library(served, "old.git"), library(served, "new.git")
        repository = flows(served, section("lib", "../old.git"), {"lib": old.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        await written(source, tmp_path)
        [store] = (tmp_path / "workspace" / "submodules").iterdir()
        os.utime(store, (0, 0))
        commit_with(repository, section("lib", "../new.git"), {"lib": new.tip()})
        await fetched(source, await source.resolve(), tmp_path, name="second")
        assert not store.exists()
        assert len(list(store.parent.iterdir())) == 1

    async def test_one_that_is_to_be_left_out_is_an_empty_directory(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git", "update = none"), {"lib": library(served).tip()})
        assert await written(GitRepository(server.url("flows.git"), include_submodules=True), tmp_path) == set()

    @pytest.mark.parametrize(
        ("directories", "expected"),
        [
            (["other"], set()),
            (["vendor"], {"vendor/lib/library.py", "vendor/lib/deep/inner.py"}),
            (["vendor/lib"], {"vendor/lib/library.py", "vendor/lib/deep/inner.py"}),
            (["vendor/lib/deep"], {"vendor/lib/library.py", "vendor/lib/deep/inner.py"}),
        ],
    )
    async def test_only_what_lies_in_the_directories_is_taken(
        self, server: GitServer, served: Path, tmp_path: Path, directories: list[str], expected: set[str]
    ) -> None:
        repository = FixtureRepository.create(served / "flows.git")
        other = add_tree(repository, (FILE, b"x", add_blob(repository, b"x")))
        vendor = add_tree(repository, (SUBMODULE, b"lib", library(served).tip()))
        note = add_blob(repository, section("vendor/lib", "../library.git").encode())
        top = add_tree(
            repository, (FILE, b".gitmodules", note), (DIRECTORY, b"other", other), (DIRECTORY, b"vendor", vendor)
        )
        repository.commit_tree(top)
        source = GitRepository(server.url("flows.git"), include_submodules=True, directories=directories)
        assert await written(source, tmp_path) - {"other/x"} == expected
        assert any("library" in exchange.path for exchange in server.log) == bool(expected)

    async def test_a_directory_that_a_submodule_does_not_have_is_named(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True, directories=["lib/absent"])
        with pytest.raises(SourceInvalid, match=r"submodule 'lib': .*no directory 'absent'"):
            await written(source, tmp_path)
