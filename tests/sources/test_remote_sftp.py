"""Files over SFTP, from the real sshd: a source like any other, of servers whose host key is known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flowsource import RemoteStorage
from flowsource.errors import AuthenticationFailed, SourceError, SourceMissing, SourceUnavailable
from flowsource.sources.remote import storage
from tests.sources.contract import SourceContract
from tests.sources.directories import fill
from tests.support.ssh_server import SshServer, make_key, ssh_server

pytestmark = pytest.mark.anyio

_seconds = count(1_700_000_000)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory of somebody who knows no server, and has no keys."""
    monkeypatch.setattr(storage, "_SETTLE", 0.001)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    return tmp_path / "home"


def know(home: Path, server: SshServer) -> None:
    shutil.copy(server.known_hosts, home / ".ssh" / "known_hosts")


def push(directory: Path, files: Mapping[str, str | bytes]) -> None:
    fill(directory, files)
    # The protocol tells times by the second, and no two pushes are to be within one.
    now = next(_seconds)
    for path in files:
        os.utime(directory / path, (now, now))


def source(server: SshServer, directory: Path, **settings: Any) -> RemoteStorage:
    url = server.url(directory).replace("ssh://", "sftp://")
    return RemoteStorage(url, **{"key_filename": str(server.key), **settings})


async def refusal(of: RemoteStorage) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await of.resolve()
    return caught.value


class SftpRemote:
    def __init__(self, server: SshServer, directory: Path) -> None:
        self.directory = directory
        self.source = source(server, directory)

    def push(self, files: Mapping[str, str | bytes]) -> None:
        push(self.directory, files)


class TestASftpServer(SourceContract):
    @pytest.fixture
    def remote(self, shared: SshServer, home: Path, tmp_path: Path) -> SftpRemote:
        know(home, shared)
        return SftpRemote(shared, tmp_path / "served")


class TestWhoIsBelieved:
    async def test_no_server_that_is_unknown(self, shared: SshServer, tmp_path: Path) -> None:
        push(tmp_path / "served", {"a.py": "a = 1"})

        error = await refusal(source(shared, tmp_path / "served"))

        assert isinstance(error, AuthenticationFailed)
        assert f"the host key of [127.0.0.1]:{shared.port} is not known" in str(error)

    async def test_no_server_that_has_another_key_than_before(self, home: Path, tmp_path: Path) -> None:
        push(tmp_path / "served", {"a.py": "a = 1"})
        with ssh_server(tmp_path / "sshd") as server:
            know(home, server)
            server.take_another_host_key()

            error = await refusal(source(server, tmp_path / "served"))

        assert isinstance(error, AuthenticationFailed)
        assert "another host key than the one that is known" in str(error)

    async def test_any_server_once_that_is_asked_for(self, shared: SshServer, tmp_path: Path) -> None:
        push(tmp_path / "served", {"a.py": "a = 1"})

        revision = await source(shared, tmp_path / "served", host_key_policy="auto_add").resolve()

        assert len(revision.id) == 64


class TestWhatGoesWrong:
    async def test_a_key_that_is_not_let_in(self, shared: SshServer, home: Path, tmp_path: Path) -> None:
        know(home, shared)
        push(tmp_path / "served", {"a.py": "a = 1"})
        make_key(tmp_path / "stranger")

        error = await refusal(source(shared, tmp_path / "served", key_filename=str(tmp_path / "stranger")))

        assert isinstance(error, AuthenticationFailed)

    async def test_a_directory_that_is_not_there(self, shared: SshServer, home: Path, tmp_path: Path) -> None:
        know(home, shared)

        assert isinstance(await refusal(source(shared, tmp_path / "nothing")), SourceMissing)

    async def test_nobody_listening(self, home: Path, tmp_path: Path) -> None:
        with ssh_server(tmp_path / "sshd") as server:
            gone = source(server, tmp_path)

        assert isinstance(await refusal(gone), SourceUnavailable)
