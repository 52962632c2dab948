"""What goes wrong with a submodule is told with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceInvalid, SourceUnavailable, UnsafeTree
from flowsource.sources.git import filling
from flowsource.sources.git.repository import GitRepository
from tests.sources.git_submodules.laid import FILE, commit_with, flows, library, section, written
from tests.support.git_server import GitServer, Refuse
from tests.support.repositories import add_blob, add_tree

pytestmark = pytest.mark.anyio


class TestFailures:
    async def failure(self, server: GitServer, tmp_path: Path) -> Exception:
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        with pytest.raises((SourceInvalid, SourceUnavailable)) as caught:
            await written(source, tmp_path)
        return caught.value

    async def test_a_commit_that_is_gone(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        library(served)
        flows(served, section("lib", "../library.git"), {"lib": "ab" * 20})
        assert str(await self.failure(server, tmp_path)).startswith("submodule 'lib': ")

    async def test_a_repository_that_is_gone(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        flows(served, section("lib", "../absent.git"), {"lib": "ab" * 20})
        assert str(await self.failure(server, tmp_path)).startswith("submodule 'lib': ")

    async def test_a_server_that_is_down_may_be_up_again_later(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        server.misbehave(Refuse(status=503, headers={"Retry-After": "9"}), on="library.git")
        error = await self.failure(server, tmp_path)
        assert isinstance(error, SourceUnavailable) and error.retry_after == 9

    async def test_one_that_nothing_tells_of(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        flows(served, section("other", "../library.git"), {"lib": library(served).tip()})
        error = await self.failure(server, tmp_path)
        assert "submodule 'lib': .gitmodules does not say where it is" in str(error)

    async def test_one_that_is_nested_without_end(
        self, server: GitServer, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(filling, "_DEEPEST", 3)
        repository = library(served, "flows.git")
        for _ in range(5):
            commit_with(repository, section("me", "../flows.git"), {"me": repository.tip()})
        assert "nested more than 3 deep" in str(await self.failure(server, tmp_path))

    async def test_too_many_of_them(
        self, server: GitServer, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(filling, "_MOST", 3)
        tip = library(served).tip()
        names = [f"lib{number}" for number in range(4)]
        flows(served, "".join(section(name, "../library.git") for name in names), dict.fromkeys(names, tip))
        assert "more than 3 submodules" in str(await self.failure(server, tmp_path))

    async def test_a_tree_of_it_that_must_not_be_written(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        evil = FixtureRepository.create(served / "library.git")
        evil.commit_tree(add_tree(evil, (FILE, b"..", add_blob(evil, b"x"))))
        flows(served, section("lib", "../library.git"), {"lib": evil.tip()})
        error = await self.failure(server, tmp_path)
        assert isinstance(error, UnsafeTree) and "submodule 'lib'" in str(error)
