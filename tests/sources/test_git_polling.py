"""How little passes between a Git source and its server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.revisions import Revision
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import fetched, files_in
from tests.sources.served import FILES
from tests.support.git_server import GitServer, git_server
from tests.support.parts import requires

pytestmark = pytest.mark.anyio


class TestPolling:
    async def test_a_poll_is_one_request_of_less_than_600_bytes_in_all(self, server: GitServer) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        server.log.clear()
        await source.resolve()
        [exchange] = server.log
        assert exchange.bytes_in + exchange.bytes_out < 600

    async def test_a_poll_does_not_grow_with_the_number_of_branches(
        self, repository: FixtureRepository, server: GitServer
    ) -> None:
        for number in range(200):
            repository.set_ref(f"refs/heads/feature-{number}", repository.tip())
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        await source.resolve()
        assert server.log[-1].bytes_in + server.log[-1].bytes_out < 600

    async def test_a_server_of_an_older_protocol_is_polled_in_one_request_too(self, server: GitServer) -> None:
        server.protocol_2 = False
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        server.log.clear()
        await source.resolve()
        assert [exchange.method for exchange in server.log] == ["GET"]

    async def test_a_server_that_insists_on_being_asked_for_its_capabilities_is_asked(
        self, repository: FixtureRepository, server: GitServer
    ) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        server.protocol_2 = False
        assert await source.resolve() == Revision(id=repository.tip())

    async def test_a_second_revision_is_fetched_without_what_is_there_already(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path
    ) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        await fetched(source, await source.resolve(), tmp_path, name="first")
        first = server.log[-1].bytes_out
        repository.commit_files({**FILES, "flows.py": "ANSWER = 42\n"})
        second = await fetched(source, await source.resolve(), tmp_path, name="second")
        assert server.log[-1].bytes_out < first / 20
        assert files_in(second)["data.bin"] == FILES["data.bin"]

    async def test_a_repository_with_the_longer_ids_is_served_too(self, tmp_path: Path) -> None:
        requires("git")
        work, identity = tmp_path / "work", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        git = ["git", *identity, "-C", str(work)]
        work.mkdir()
        (work / "flows.py").write_text("ANSWER = 42\n")
        (tmp_path / "served").mkdir()
        for command in (
            [*git, "init", "-q", "--object-format=sha256"],
            [*git, "add", "."],
            [*git, "commit", "-q", "-m", "x"],
            ["git", "clone", "-q", "--bare", str(work), str(tmp_path / "served" / "flows.git")],
        ):
            subprocess.run(command, check=True, capture_output=True)
        with git_server(tmp_path / "served") as server:
            source = GitRepository(server.url("flows.git"))
            revision = await source.resolve()
            assert len(revision.id) == 64
            assert await source.resolve() == revision
            assert server.log[-1].method == "POST"
            assert files_in(await fetched(source, revision, tmp_path)) == {"flows.py": b"ANSWER = 42\n"}


async def newest(server: GitServer) -> Revision:
    return await GitRepository(server.url("flows.git")).resolve()
