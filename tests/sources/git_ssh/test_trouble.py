"""An SSH server that misbehaves, or is not there at all, and no `ssh` left behind."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceError, SourceInvalid, SourceUnavailable
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire.exchange import GitWire
from flowsource.sources.git.wire.patience import Patience
from tests.sources.contract import fetched
from tests.sources.git_ssh.reached import source
from tests.support.parts import requires
from tests.support.ssh_server import SshServer, ssh_server
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


class TestTrouble:
    async def test_nobody_listening_is_said_with_the_reason(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with ssh_server(tmp_path / "sshd") as server:
            pass
        with pytest.raises(SourceUnavailable, match="cannot be reached: Connection refused"):
            await source(server, repository).resolve()

    async def test_an_unknown_host_is_said_to_be_unknown(self) -> None:
        requires("ssh")
        with pytest.raises(SourceUnavailable, match="cannot be reached: its name is not known"):
            await GitRepository("git@flows.invalid:org/r.git").resolve()

    async def test_a_server_that_speaks_something_else_is_unavailable(self) -> None:
        with (
            listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port,
            pytest.raises(SourceUnavailable, match="cannot be reached"),
        ):
            await GitRepository(f"ssh://git@127.0.0.1:{port}/r.git").resolve()

    async def test_a_machine_without_ssh_is_told_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SourceInvalid, match=r"not installed; install it \(the package openssh-client\)"):
            await GitRepository("git@flows.invalid:org/r.git").resolve()

    async def test_a_server_that_falls_silent_is_given_up_and_its_ssh_is_gone(self) -> None:
        left = threading.Event()
        with listening(lambda connection: waits_for_the_end(connection, left)) as port:
            wire = GitWire(parse_url(f"ssh://git@127.0.0.1:{port}/r.git")[0], Patience(head=0.3, connect=20))
            with pytest.raises(SourceUnavailable, match=r"did not begin to answer within 0\.3 s"):
                wire.refs(["HEAD"], login=None, checkpoint=lambda: None)
            assert left.wait(PATIENCE)

    async def test_nobody_has_to_wait_for_it(self) -> None:
        come, left = threading.Event(), threading.Event()

        def serve(connection: socket.socket) -> None:
            come.set()
            waits_for_the_end(connection, left)

        with listening(serve) as port:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(GitRepository(f"ssh://git@127.0.0.1:{port}/r.git").resolve)
                await until(come.is_set)
                tasks.cancel_scope.cancel()
            # Without that it would be 30 seconds.
            await until(left.is_set)

    async def test_no_ssh_is_left_behind(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[subprocess.Popen[bytes]] = []
        popen = subprocess.Popen

        def recorded(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
            begun.append(popen(*args, **kwargs))
            return begun[-1]

        monkeypatch.setattr("flowsource.sources.git.wire.ssh_session.subprocess.Popen", recorded)
        good = source(shared, repository)
        await fetched(good, await good.resolve(), tmp_path)
        with pytest.raises(SourceError):
            await source(shared, FixtureRepository(tmp_path / "none.git")).resolve()
        assert len(begun) == 3
        assert all(process.returncode is not None for process in begun)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on the port that this gives, for one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def waits_for_the_end(connection: socket.socket, left: threading.Event) -> None:
    """Say nothing, until who asked is gone."""
    connection.settimeout(20)
    while connection.recv(1000):
        pass
    left.set()
