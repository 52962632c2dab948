"""What every test of a source may rely on: something to follow, and a cache to take it into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.wire import exchange
from tests.sources.served import FILES, SECRET
from tests.support.git_server import GitServer, git_server
from tests.support.parts import requires
from tests.support.ssh_server import SshServer, ssh_server


@pytest.fixture(autouse=True)
def _strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is known from another test, which may have had its address."""
    monkeypatch.setattr(exchange, "_known_habits", {})


@pytest.fixture
def cache(tmp_path: Path) -> SnapshotCache:
    return SnapshotCache(tmp_path / "cache")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory of a flow, and data beside it."""
    directory = tmp_path / "project"
    (directory / "lib").mkdir(parents=True)
    (directory / "flows.py").write_text("ANSWER = 42\n")
    (directory / "lib" / "rows.csv").write_text("1,2\n")
    return directory


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    """`flows.git`, with one commit of `FILES`."""
    repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
    repository.commit_files(FILES)
    return repository


@pytest.fixture
def served(repository: FixtureRepository) -> Path:
    """The directory whose repositories `server` and `private` serve."""
    return repository.path.parent


@pytest.fixture
def server(served: Path) -> Iterator[GitServer]:
    requires("git")
    with git_server(served) as server:
        yield server


@pytest.fixture
def private(served: Path) -> Iterator[GitServer]:
    """A second server of the same, which lets in who has the token `SECRET`."""
    requires("git")
    with git_server(served, login=("x-access-token", SECRET)) as server:
        yield server


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[GitServer]:
    """A server of another directory, which needs to know nothing of us."""
    requires("git")
    (tmp_path / "elsewhere").mkdir()
    with git_server(tmp_path / "elsewhere") as server:
        yield server


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An SSH server for all who do no more to it than let another key in."""
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server
