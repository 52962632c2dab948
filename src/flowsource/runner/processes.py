"""Run processes, asked for from the fork server and waited for without polling."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from flowsource.errors import FlowsourceError

_STOPPED_WITH_ITS_SERVER = -int(signal.SIGKILL)


class ForkServerFailed(FlowsourceError):
    """The process that starts runs could not be started, or ended."""


@dataclass
class RunProcess:
    """A process that executes one run. Signals reach its whole process group."""

    pid: int
    pidfd: int
    _ended: anyio.Event = field(default_factory=anyio.Event)
    _status: int = 0

    async def wait(self) -> int:
        """Its exit code once it and its process group are gone; negative for the signal that ended it."""
        await self._ended.wait()
        return self._status

    @property
    def is_gone(self) -> bool:
        """Whether it has ended and been reaped."""
        return self._ended.is_set()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the run that stayed in its group."""
        if self.is_gone:
            return
        try:
            # Through the pidfd first: it tells whether the pid still means this process, before the group is named.
            signal.pidfd_send_signal(self.pidfd, 0)
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def end(self, status: int) -> None:
        """Note that it is gone."""
        self._status = status
        os.close(self.pidfd)
        self._ended.set()


class ForkServer:
    """Starts run processes. Open it with `async with`; closing it kills those that are left.

    `without` names environment variables that no run is given.
    """

    def __init__(self, *, without: Collection[str] = ()) -> None:
        self._without = frozenset(without)
        self._socket: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._waiting: dict[str, _Request] = {}
        self._running: dict[str, RunProcess] = {}
        self._starting = anyio.Lock()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(kind, error, trace)
        with anyio.CancelScope(shield=True):
            await self._stop()

    async def start(self) -> None:
        """Have the fork server ready; a dead one is replaced. Raises ForkServerFailed."""
        async with self._starting:
            if self._socket is not None:
                return
            assert self._tasks is not None
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            environment = {name: value for name, value in os.environ.items() if name not in self._without}
            with theirs:
                command = [sys.executable, "-P", "-X", "utf8", "-m", "flowsource.runner.forkserver"]
                self._server = server = await anyio.to_thread.run_sync(
                    lambda: subprocess.Popen(
                        [*command, str(theirs.fileno())],
                        pass_fds=[theirs.fileno()],
                        stdin=subprocess.DEVNULL,
                        env=environment,
                        start_new_session=True,  # A Ctrl-C in the terminal is for the runner to act on.
                    )
                )
            await anyio.wait_readable(ours)
            if not ours.recv(65536):
                ours.close()
                raise ForkServerFailed(f"the process that starts runs ended at once, with code {server.wait()}")
            self._socket = ours
            self._tasks.start_soon(self._listen, ours, server)

    async def spawn(self, output: int, channel: socket.socket) -> RunProcess:
        """A new run process that writes to the descriptor `output` and talks on `channel`; both may be closed after.

        Raises ForkServerFailed when none can be had.
        """
        await self.start()
        assert self._socket is not None
        request = _Request(str(uuid4()))
        self._waiting[request.id] = request
        try:
            message = json.dumps({"id": request.id}).encode()
            while True:
                try:
                    socket.send_fds(self._socket, [message], [output, channel.fileno()])
                    break
                except BlockingIOError:
                    await anyio.wait_writable(self._socket)
                except OSError as error:
                    raise ForkServerFailed(f"the process that starts runs is gone ({error})") from None
            # The process exists from now on: whoever asked for it must get it, to see it end.
            with anyio.CancelScope(shield=True):
                await request.answered.wait()
        finally:
            del self._waiting[request.id]
        if request.process is None:
            raise ForkServerFailed("the process that starts runs ended while it was asked for one")
        return request.process

    async def _listen(self, ours: socket.socket, server: subprocess.Popen[bytes]) -> None:
        """Hand out what the fork server answers, until it is gone."""
        while True:
            await anyio.wait_readable(ours)
            try:
                data, fds, _, _ = socket.recv_fds(ours, 65536, 1)
            except BlockingIOError:
                continue
            except OSError:
                data, fds = b"", []
            if not data:
                break
            message = json.loads(data)
            if "pid" in message:
                request = self._waiting[message["id"]]
                request.process = self._running[request.id] = RunProcess(message["pid"], fds[0])
                request.answered.set()
            else:
                self._running.pop(message["id"]).end(message["status"])
        self._forget(ours)
        await anyio.to_thread.run_sync(server.wait)

    def _forget(self, ours: socket.socket) -> None:
        """The fork server is gone, and every process it started was killed with it."""
        ours.close()
        self._socket = None
        for request in self._waiting.values():
            request.answered.set()
        while self._running:
            self._running.popitem()[1].end(_STOPPED_WITH_ITS_SERVER)

    async def _stop(self) -> None:
        if self._socket is not None:
            self._forget(self._socket)
        if self._server is not None:
            # It sees the end of the socket, kills what is left, and leaves.
            with contextlib.suppress(TimeoutError):
                with anyio.fail_after(5):
                    await anyio.to_thread.run_sync(self._server.wait, abandon_on_cancel=True)
            if self._server.poll() is None:
                self._server.kill()
                self._server.wait()


class _Request:
    def __init__(self, request_id: str) -> None:
        self.id = request_id
        self.answered = anyio.Event()
        self.process: RunProcess | None = None
