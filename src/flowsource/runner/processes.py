"""Run processes, asked for from the fork server and waited for without polling."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from flowsource.errors import FlowsourceError

_ANSWER_SECONDS = 10.0
_END_SECONDS = 5.0


class ForkServerFailed(FlowsourceError):
    """The process that starts runs could not be started, or ended and took its runs along."""


@dataclass
class RunProcess:
    """A process that executes one run. Signals reach its whole process group."""

    pid: int
    pidfd: int
    _ended: anyio.Event = field(default_factory=anyio.Event)
    _status: int | None = None

    async def wait(self) -> int | None:
        """Its exit code once it and its process group are gone; negative for the signal that ended it.

        None when it ended because the fork server did, which says nothing about the run.
        """
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
        with suppress(ProcessLookupError):
            # Through the pidfd first: it tells whether the pid still means this process, before the group is named.
            signal.pidfd_send_signal(self.pidfd, 0)
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                # Just forked, it has no group of its own yet.
                signal.pidfd_send_signal(self.pidfd, number)

    def end(self, status: int | None) -> None:
        """Note that it is gone; None when its fork server is."""
        self._status = status
        if status is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        os.close(self.pidfd)
        self._ended.set()


class _Request:
    """A process that was asked for."""

    def __init__(self) -> None:
        self.id = str(uuid4())
        self.answered = anyio.Event()
        self.process: RunProcess | None = None
        self.refusal = "the process that starts runs ended while it was asked for one"


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
        # Whether runs of root cannot write to their snapshot either; known once it was started.
        self.protects_from_root = False

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tasks is not None
        with anyio.CancelScope(shield=True):
            await self._stop()
        await self._tasks.__aexit__(kind, error, trace)

    async def start(self) -> None:
        """Have the fork server ready; a dead one is replaced. Raises ForkServerFailed."""
        async with self._starting:
            if self._socket is not None:
                return
            assert self._tasks is not None
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                ours.setblocking(False)
                with theirs:
                    server = await self._launch(theirs.fileno())
                await anyio.wait_readable(ours)
                if not (hello := ours.recv(65536)):
                    raise ForkServerFailed(
                        f"the process that starts runs ended at once, with code {await _end_of(server)}"
                    )
            except BaseException:
                ours.close()
                raise
            self.protects_from_root = bool(json.loads(hello)["protects"])
            self._socket = ours
            self._tasks.start_soon(self._listen, ours, server)

    async def spawn(self, output: int, channel: socket.socket) -> RunProcess:
        """A new run process that writes to the descriptor `output` and talks on `channel`; both may be closed after.

        Raises ForkServerFailed when none can be had.
        """
        await self.start()
        request = _Request()
        self._waiting[request.id] = request
        try:
            await self._send(json.dumps({"id": request.id}).encode(), [output, channel.fileno()])
            # The process exists from now on: whoever asked for it must get it, to see it end.
            with anyio.move_on_after(_ANSWER_SECONDS, shield=True) as patience:
                await request.answered.wait()
            if patience.cancelled_caught:
                self._kill_server()
                raise ForkServerFailed(f"the process that starts runs did not answer for {_ANSWER_SECONDS:g} s")
        finally:
            del self._waiting[request.id]
        if request.process is None:
            raise ForkServerFailed(request.refusal)
        return request.process

    async def _launch(self, descriptor: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-X", "utf8", "-m", "flowsource.runner.forkserver", str(descriptor)]
        environment = {name: value for name, value in os.environ.items() if name not in self._without}
        self._server = await anyio.to_thread.run_sync(
            lambda: subprocess.Popen(
                command,
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # A Ctrl-C in the terminal is for the runner to act on.
            )
        )
        return self._server

    async def _send(self, message: bytes, descriptors: list[int]) -> None:
        while True:
            if self._socket is None:
                raise ForkServerFailed("the process that starts runs is gone")
            try:
                socket.send_fds(self._socket, [message], descriptors)
                return
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise ForkServerFailed(f"the process that starts runs is gone ({error.strerror})") from None

    async def _listen(self, ours: socket.socket, server: subprocess.Popen[bytes]) -> None:
        """Hand out what the fork server answers, until it is gone.

        Not to be cancelled: whoever is cancelled while a run goes on waits for its end, which is heard of here.
        """
        with anyio.CancelScope(shield=True):
            while True:
                await anyio.wait_readable(ours)
                try:
                    data, fds, _, _ = socket.recv_fds(ours, 65536, 1)
                except BlockingIOError:
                    continue
                except OSError:
                    break
                if not data:
                    break
                self._take_answer(json.loads(data), fds)
            self._forget(ours)
            await _end_of(server)

    def _take_answer(self, answer: dict[str, object], fds: list[int]) -> None:
        name = str(answer["id"])
        if "status" in answer:
            self._running.pop(name).end(int(str(answer["status"])))
            return
        request = self._waiting.get(name)
        if fds:
            process = self._running[name] = RunProcess(int(str(answer["pid"])), fds[0])
            if request is None:
                process.signal_group(signal.SIGKILL)  # Whoever asked for it has given up.
            else:
                request.process = process
        elif request is not None:
            request.refusal = f"the process that starts runs cannot start one: {answer['error']}"
        if request is not None:
            request.answered.set()

    def _forget(self, ours: socket.socket) -> None:
        """The fork server is gone, and every process it started is killed with it."""
        ours.close()
        self._socket = None
        for request in self._waiting.values():
            request.answered.set()
        while self._running:
            self._running.popitem()[1].end(None)

    def _kill_server(self) -> None:
        if self._server is not None:
            self._server.kill()

    async def _stop(self) -> None:
        """Let the fork server see the end of its socket, kill what is left, and leave."""
        if self._server is None:
            return
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        with anyio.move_on_after(_END_SECONDS) as patience:
            await _end_of(self._server)
        if patience.cancelled_caught:
            self._kill_server()
            await _end_of(self._server)


async def _end_of(server: subprocess.Popen[bytes]) -> int:
    return await anyio.to_thread.run_sync(server.wait, abandon_on_cancel=True)
