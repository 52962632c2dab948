"""A Git repository over the system's ssh keeps the promises of a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from dulwich.objects import Blob
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import RevisionGone, SourceMissing
from flowsource.revisions import Revision
from flowsource.sources.git.credentials import GitCredentials, SshLogin
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire.exchange import GitWire
from tests.sources.contract import SourceContract, fetched, files_in
from tests.sources.git_ssh.reached import source
from tests.support.repositories import GitRemote
from tests.support.ssh_server import SshServer, ssh_server

pytestmark = pytest.mark.anyio


def login(server: SshServer) -> SshLogin:
    return SshLogin(server.user, server.key, server.known_hosts)


class TestOverSsh(SourceContract):
    @pytest.fixture
    def remote(self, shared: SshServer, tmp_path: Path) -> GitRemote:
        repository = FixtureRepository.create(tmp_path / "flows.git")
        return GitRemote(repository, source(shared, repository))


class TestOverSshOfAnOlderProtocol:
    async def test_a_server_that_lets_nobody_ask_for_version_2_is_asked_in_its_own(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with ssh_server(tmp_path / "sshd") as server:
            server.protocol_2 = False
            server.restart()
            old = source(server, repository)
            first = await fetched(old, await old.resolve(), tmp_path, name="first")
            assert set(files_in(first)) == {"flows.py"}
            repository.commit_files({"flows.py": "ANSWER = 42\n"})
            second = await fetched(old, await old.resolve(), tmp_path, name="second")
            assert files_in(second) == {"flows.py": b"ANSWER = 42\n"}
            with pytest.raises(RevisionGone):
                await fetched(old, Revision(id="0123456789" * 4), tmp_path, name="third")


class TestExchange:
    async def test_a_poll_names_no_more_than_what_is_asked_for(
        self, shared: SshServer, repository: FixtureRepository
    ) -> None:
        repository.set_ref("refs/heads/other", repository.tip())
        wire = GitWire(parse_url(shared.url(repository.path))[0])
        for _ in range(2):
            found = wire.refs(["refs/heads/main"], login=login(shared), checkpoint=lambda: None)
            assert found.objects == {"refs/heads/main": repository.tip()}

    async def test_of_a_server_that_can_leave_files_out_only_those_that_are_wanted_come(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"etl/flows.py": "ANSWER = 42\n", "other/large.bin": b"large" * 1000})
        with Repo(str(repository.path)) as repo:
            config = repo.get_config()
            config.set(b"uploadpack", b"allowFilter", True)
            config.set(b"uploadpack", b"allowAnySHA1InWant", True)
            config.write_to_path()
        credentials = GitCredentials(ssh_key_file=shared.key, known_hosts_file=shared.known_hosts)
        part = GitRepository(shared.url(repository.path), directories=["etl"], credentials=credentials)
        assert set(files_in(await fetched(part, await part.resolve(), tmp_path))) == {"etl/flows.py"}
        left_out = Blob.from_string(b"large" * 1000).id
        with Repo(str(tmp_path / "workspace" / "objects")) as store:
            assert left_out not in store.object_store

    async def test_whether_history_was_rewritten_is_told(
        self, shared: SshServer, repository: FixtureRepository
    ) -> None:
        old = Revision(id=repository.tip())
        new = Revision(id=repository.commit_files({"flows.py": "ANSWER = 42\n"}))
        assert await source(shared, repository).descends(new, old) is True
        assert await source(shared, repository).descends(old, new) is False

    async def test_a_commit_that_is_not_there_is_gone(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with pytest.raises(RevisionGone, match="does not have commit 0123456789"):
            await fetched(source(shared, repository), Revision(id="0123456789" * 4), tmp_path)

    async def test_a_repository_that_is_not_there_is_missing(self, shared: SshServer, tmp_path: Path) -> None:
        missing = FixtureRepository(tmp_path / "flosw.git")
        with pytest.raises(SourceMissing, match=r"no repository at ssh://.*/flosw\.git .*not appear to be a git"):
            await source(shared, missing).resolve()

    async def test_a_directory_that_ssh_would_take_for_a_command_is_one(
        self, shared: SshServer, tmp_path: Path
    ) -> None:
        evil = FixtureRepository.create(tmp_path / "';touch stolen;'$(touch stolen)`touch stolen`.git")
        evil.commit_files({"flows.py": ""})
        assert (await source(shared, evil).resolve()).id == evil.tip()
        assert not list(tmp_path.rglob("stolen"))
        assert not (Path.home() / "stolen").exists()
