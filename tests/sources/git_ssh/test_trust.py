"""Who is let in over SSH, and who is believed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import AuthenticationFailed
from flowsource.sources.git.credentials import GitCredentials
from flowsource.sources.git.repository import GitRepository
from tests.sources.git_ssh.reached import source
from tests.support.ssh_server import KeyType, SshServer, make_key, ssh_server

pytestmark = pytest.mark.anyio


class TestWhoIsLetIn:
    async def test_another_key_is_not(self, shared: SshServer, repository: FixtureRepository, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        with pytest.raises(AuthenticationFailed, match=f"refused user '{shared.user}' with the key {tmp_path}/other"):
            await source(shared, repository, ssh_key_file=tmp_path / "other").resolve()

    async def test_a_key_that_waits_for_a_passphrase_is_said_to(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        make_key(tmp_path / "protected", passphrase="correct horse")
        shared.let_in(tmp_path / "protected")
        with pytest.raises(AuthenticationFailed, match=r"protected is protected with a passphrase.*agent"):
            await source(shared, repository, ssh_key_file=tmp_path / "protected").resolve()

    async def test_a_key_that_others_may_read_is_said_to(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        shutil.copy(shared.key, tmp_path / "open")
        (tmp_path / "open").chmod(0o644)
        with pytest.raises(AuthenticationFailed, match=r"others may read it\. Set its permissions to 0600"):
            await source(shared, repository, ssh_key_file=tmp_path / "open").resolve()

    async def test_what_is_no_key_is_said_to_be_none(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        (tmp_path / "junk").write_text("junk")
        (tmp_path / "junk").chmod(0o600)
        with pytest.raises(AuthenticationFailed, match="junk is none that ssh can use"):
            await source(shared, repository, ssh_key_file=tmp_path / "junk").resolve()

    async def test_the_keys_of_an_agent_are_tried_by_default(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = shared.url(repository.path)
        by_agent = GitRepository(url, credentials=GitCredentials(known_hosts_file=shared.known_hosts))
        with agent(tmp_path / "agent") as listening:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(listening))
            with pytest.raises(AuthenticationFailed, match="knows none of the keys of the agent"):
                await by_agent.resolve()
            subprocess.run(["ssh-add", "-q", str(shared.key)], check=True, capture_output=True)
            assert (await by_agent.resolve()).id == repository.tip()

    async def test_a_callable_gives_the_key_too(self, shared: SshServer, repository: FixtureRepository) -> None:
        given = {"ssh_key_file": str(shared.key), "known_hosts_file": str(shared.known_hosts)}
        asked = GitRepository(shared.url(repository.path), credentials=lambda: given)
        assert (await asked.resolve()).id == repository.tip()

    @pytest.mark.parametrize("name", ["ssh_key_file", "known_hosts_file"])
    async def test_a_file_that_is_not_there_is_named_and_looked_for_again(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path, name: str
    ) -> None:
        file = tmp_path / "later"
        later = source(shared, repository, **{name: file})
        with pytest.raises(AuthenticationFailed, match=f"credentials: {name} {file} cannot be read"):
            await later.resolve()
        shutil.copy(shared.key if name == "ssh_key_file" else shared.known_hosts, file)
        assert (await later.resolve()).id == repository.tip()


class TestWhoIsBelieved:
    @pytest.mark.parametrize("kind", get_args(KeyType))
    async def test_a_server_with_a_host_key_of_any_kind_that_is_known(
        self, repository: FixtureRepository, tmp_path: Path, kind: KeyType
    ) -> None:
        with ssh_server(tmp_path / "sshd", host_key=kind) as server:
            assert (await source(server, repository).resolve()).id == repository.tip()

    async def test_a_server_that_is_known_by_the_hash_of_its_name(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        shutil.copy(shared.known_hosts, tmp_path / "hashed")
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", tmp_path / "hashed"], check=True, capture_output=True)
        assert "127.0.0.1" not in (tmp_path / "hashed").read_text()
        hashed = source(shared, repository, known_hosts_file=tmp_path / "hashed")
        assert (await hashed.resolve()).id == repository.tip()

    async def test_no_server_that_is_unknown(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").write_text("")
        with pytest.raises(AuthenticationFailed, match=r"is not known, .* `ssh-keyscan -p \d+ 127\.0\.0\.1`"):
            await source(shared, repository, known_hosts_file=tmp_path / "empty").resolve()
        assert (tmp_path / "empty").read_text() == ""

    async def test_no_server_that_has_another_key_than_before(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with ssh_server(tmp_path / "sshd") as server:
            await source(server, repository).resolve()
            known = server.known_hosts.read_text()
            server.take_another_host_key()
            with pytest.raises(AuthenticationFailed, match=f"another host key .* replace it in {server.known_hosts}"):
                await source(server, repository).resolve()
            assert server.known_hosts.read_text() == known


@contextmanager
def agent(at: Path) -> Iterator[Path]:
    """An ssh-agent that holds no key yet, listening there."""
    with subprocess.Popen(["ssh-agent", "-D", "-a", at], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        # It tells where it listens once it does.
        assert process.stdout.readline()
        try:
            yield at
        finally:
            process.terminate()
