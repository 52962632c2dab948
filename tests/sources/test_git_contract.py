"""A Git repository keeps the promises of a source, over HTTP and from a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.demo.server import serve_repository
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import SourceContract
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
