"""A guardian process as its runner sees it: started, asked for runs, heard, ended."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from uuid import uuid4

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from flowsource.runner.processes import control_groups, descent
from flowsource.runner.processes.process import Exit, GuardianFailed, RunProcess

# Nothing beside what is installed can be imported: not what lies in the working directory (-P).
PYTHON = (sys.executable, "-P", "-X", "utf8", "-m")

_READY_SECONDS = 60
_ANSWER_SECONDS = 10
_TURN_SECONDS = 0.5
_END_SECONDS = 5.0
_KILLED_SECONDS = 1


class GuardianGone(GuardianFailed):
    """The guardian ended before the run that it was asked for had begun: it can be asked for again."""


class GuardianNotReady(GuardianFailed):
    """The guardian could not be started."""


class UnfitModules(GuardianNotReady):
    """Modules cannot be imported before runs; `reasons` has why, by name."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = MappingProxyType(dict(reasons))
        super().__init__("; ".join(f"{name}: {why}" for name, why in reasons.items()))


class _Request:
    """A process that was asked for."""

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.process: RunProcess | None = None
        self.refusal: str | None = None

    async def wait(self) -> None:
        """Wait for the answer, but not for ever."""
        await _in_turns(self.answered.wait, _ANSWER_SECONDS)


class Guard:
    """One guardian process and the runs that it has started; `end` closes it and kills them."""

    def __init__(
        self,
        server: subprocess.Popen[bytes],
        ours: socket.socket,
        mark: str,
        group: Path | None,
        *,
        idle: float | None,
    ) -> None:
        self._server, self._socket, self._mark, self._group, self._idle = server, ours, mark, group, idle
        self._ids = count(1)
        self._sending = anyio.Lock()
        self._waiting: dict[str, _Request] = {}
        self._running: dict[str, RunProcess] = {}
        self._gone = anyio.Event()
        self.protects_from_root = False

    @classmethod
    async def start(
        cls,
        tasks: TaskGroup,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        idle: float | None = None,
        held: Sequence[int] = (),
        group: Path | None = None,
    ) -> Self:
        """A guardian that is ready. `command` is its module, and what that is given.

        After `idle` seconds without a run it ends by itself. It keeps the descriptors `held` open. It is in a control
        group of its own below `group`, where there is one. Raises GuardianFailed, or UnfitModules.
        """
        mark = uuid4().hex
        own = None if group is None else control_groups.make(group / mark)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                server = await _launched(command, theirs, own, {**environment, descent.MARK: mark}, held)
        except BaseException:
            ours.close()
            raise
        guard = cls(server, ours, mark, own, idle=idle)
        try:
            guard.protects_from_root = bool((await guard._hello())["protects"])
        except BaseException:
            ours.close()
            with anyio.CancelScope(shield=True):
                server.kill()
                await _end_of(server)
                await guard._clear_up()
            raise
        tasks.start_soon(guard._listen)
        return guard

    @property
    def is_open(self) -> bool:
        """Whether it can still be asked for runs, as far as is known."""
        return self._socket.fileno() >= 0

    @property
    def is_idle(self) -> bool:
        """Whether it has no run, and is asked for none."""
        return not self._running and not self._waiting

    async def spawn(self, output: int, channel: socket.socket) -> RunProcess:
        """A new run process.

        Raises GuardianGone when it certainly has not begun and may be asked for again, else GuardianFailed.
        """
        name, request = str(next(self._ids)), _Request()
        self._waiting[name] = request
        try:
            await self._send(json.dumps({"id": name}).encode(), [output, channel.fileno()])
            # The process may exist from now on: whoever asked for it must get it, to see it end.
            with anyio.CancelScope(shield=True):
                await request.wait()
                if not request.answered.is_set():
                    self._server.kill()
                    await request.answered.wait()
        finally:
            del self._waiting[name]
        if request.process is not None:
            return request.process
        if request.refusal is not None:
            raise GuardianFailed(f"the process that starts runs cannot start one: {request.refusal}")
        raise GuardianGone("the process that starts runs ended while it was asked for one")

    async def end(self) -> None:
        """Let it see the end of its socket, kill what is left, and leave."""
        with suppress(OSError):  # It is gone already.
            self._socket.shutdown(socket.SHUT_RDWR)
        with anyio.move_on_after(_END_SECONDS):
            await self._gone.wait()
        if not self._gone.is_set():
            self._server.kill()
            await self._gone.wait()

    async def _hello(self) -> dict[str, Any]:
        """What it says of itself when it is ready."""
        if not await _in_turns(partial(anyio.wait_readable, self._socket), _READY_SECONDS):
            raise GuardianNotReady(f"the process that starts runs was not ready after {_READY_SECONDS} s")
        hello = self._socket.recv(65536)
        if not hello:
            code = await _end_of(self._server)
            raise GuardianNotReady(f"the process that starts runs ended at once, with code {code}")
        said: dict[str, Any] = json.loads(hello)
        if "unfit" in said:
            raise UnfitModules(said["unfit"])
        return said

    async def _send(self, message: bytes, descriptors: list[int]) -> None:
        # Only one may wait until there is room.
        async with self._sending:
            while True:
                try:
                    socket.send_fds(self._socket, [message], descriptors)
                    return
                except BlockingIOError:
                    await anyio.wait_writable(self._socket)
                except OSError as error:
                    raise GuardianGone(f"the process that starts runs is gone ({error.strerror})") from None

    async def _listen(self) -> None:
        """Hand out what the guardian answers, until it is gone.

        Not to be cancelled: whoever is cancelled while a run goes on waits for its end, which is heard of here.
        """
        with anyio.CancelScope(shield=True):
            while await self._hear():
                pass
            self._socket.close()
            await _end_of(self._server)
            await self._clear_up()
            self._gone.set()
            # Each process that was forked has said so, or holds the socket: at its end, none can begin any more.
            for request in self._waiting.values():
                request.answered.set()
            while self._running:
                self._running.popitem()[1].end(None)

    async def _hear(self) -> bool:
        """Take one answer; False when there can be no more."""
        with anyio.move_on_after(self._idle if self.is_idle else None) as patience:
            await anyio.wait_readable(self._socket)
        if patience.cancelled_caught:
            return not self.is_idle
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, 65536, 1)
        except (BlockingIOError, ConnectionResetError):
            # A reset says that it has not read all that it was asked, once, and before what it still said.
            return True
        except OSError:
            return False
        if data:
            self._take_answer(json.loads(data), fds)
        return bool(data)

    def _take_answer(self, answer: dict[str, Any], fds: list[int]) -> None:
        name = answer["id"]
        request = self._waiting.get(name)
        if "status" in answer and (process := self._running.pop(name, None)) is not None:
            process.end(Exit(answer["status"], left_behind=answer["left"], is_out_of_memory=answer["oom"]))
            return
        if request is None:
            return  # It was refused already.
        if fds:
            request.process = self._running[name] = RunProcess(answer["pid"], fds[0])
        elif "pid" in answer:
            os.kill(answer["pid"], signal.SIGKILL)
            request.refusal = "too many files are open here"
        elif "status" in answer:
            request.refusal = f"it ended before it began, with code {answer['status']}"
        else:
            request.refusal = answer["error"]
        request.answered.set()

    async def _clear_up(self) -> None:
        """Kill what the guardian was killed before it could kill, which is in its group and has its mark."""
        if self._group is not None:
            await anyio.to_thread.run_sync(control_groups.end, self._group)
        if self._server.returncode != 0:
            await anyio.to_thread.run_sync(_kill_marked, self._mark)


async def _launched(
    command: Sequence[str],
    theirs: socket.socket,
    group: Path | None,
    environment: Mapping[str, str],
    held: Sequence[int],
) -> subprocess.Popen[bytes]:
    descriptor = theirs.fileno()
    return await anyio.to_thread.run_sync(
        lambda: subprocess.Popen(
            [*PYTHON, command[0], str(descriptor), str(group or ""), *command[1:]],
            pass_fds=[descriptor, *held],
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # A Ctrl-C in the terminal is for the runner to act on.
        )
    )


def _kill_marked(mark: str) -> None:
    """Kill every process that has the mark, and those that it starts meanwhile."""
    killed: set[int] = set()
    not_ours: set[int] = set()
    # In the middle of an exec a process has no environment to be seen, so that it takes two looks to find none.
    looks_without = 0
    while looks_without < 2:
        left = descent.marked(mark) - not_ours
        looks_without = 0 if left else looks_without + 1
        for pid in left:
            try:
                _kill(pid)
                killed.add(pid)
            except ProcessLookupError:
                pass  # It ended by itself since we looked.
            except PermissionError:
                not_ours.add(pid)
    for pid in killed:
        # As the first process of a container, we are the parent of those whose parent is gone.
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _kill(pid: int) -> None:
    """Kill a process and wait until it has ended, which takes a moment longer than its environment is there."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        poller.poll(_KILLED_SECONDS * 1000)
    finally:
        os.close(pidfd)


async def _in_turns(wait: Callable[[], Awaitable[None]], seconds: float) -> bool:
    """Whether `wait` ended, before as many turns of waiting were over as there are in `seconds`.

    Where a machine stands still for a while, with all that is on it, it takes one turn and not all.
    """
    for _ in range(round(seconds / _TURN_SECONDS)):
        with anyio.move_on_after(_TURN_SECONDS):
            await wait()
            return True
    return False


async def _end_of(server: subprocess.Popen[bytes]) -> int:
    return await anyio.to_thread.run_sync(server.wait, abandon_on_cancel=True)
