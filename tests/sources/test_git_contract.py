"""A Git repository keeps the promises of a source, over HTTP and from a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.demo.server import serve_repository
from flowsource.errors import SourceUnavailable
from flowsource.revisions import Revision
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import Remote, SourceContract, fetched
from tests.support.git_server import git_server
from tests.support.parts import requires
from tests.support.repositories import GitRemote

pytestmark = pytest.mark.anyio


class TestOverHttp(SourceContract):
    @pytest.fixture
    def remote(self, tmp_path: Path) -> Iterator[GitRemote]:
        requires("git")
        repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
        with git_server(tmp_path / "served", login=("ada", "s3cret")) as server:
            credentials = {"username": "ada", "password": "s3cret"}
            yield GitRemote(repository, GitRepository(server.url("flows.git"), credentials=credentials))


class TestOverHttpOfAnOlderProtocol(SourceContract):
    """dulwich's own server speaks no version 2, and gives out nothing but what it advertises."""

    @pytest.fixture
    def remote(self, tmp_path: Path) -> Iterator[GitRemote]:
        repository = FixtureRepository.create(tmp_path / "flows.git")
        with serve_repository(repository.path) as served:
            yield GitRemote(repository, GitRepository(served.url, branch="main"))

    async def test_a_revision_that_is_not_there_is_said_to_be_gone(self, remote: Remote, tmp_path: Path) -> None:
        """This server fails (500) where others say that they do not have it, so a later try is worth its while."""
        remote.push({"flows.py": "ANSWER = 42\n"})
        with pytest.raises(SourceUnavailable, match="failed to answer"):
            await fetched(remote.source, Revision(id="0123456789" * 4), tmp_path)


class TestFromADirectory(SourceContract):
    @pytest.fixture
    def remote(self, tmp_path: Path) -> GitRemote:
        repository = FixtureRepository.create(tmp_path / "flows.git")
        return GitRemote(repository, GitRepository(repository.path))


class TestFromAFileUrl(SourceContract):
    @pytest.fixture
    def remote(self, tmp_path: Path) -> GitRemote:
        repository = FixtureRepository.create(tmp_path / "flows.git")
        return GitRemote(repository, GitRepository(repository.path.as_uri()))
