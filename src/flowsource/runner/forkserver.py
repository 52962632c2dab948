"""The fork server: a small process that has the child runtime imported, and forks one process per run.

Started by exec with the number of a SOCK_SEQPACKET socket. It has no thread and does nothing else, so that a fork is
safe and cheap. Requests are JSON with two descriptors (output pipe, channel); the answers are `{"id", "pid"}` with a
pidfd and later `{"id", "status"}`, or `{"id", "error"}`; before them comes `{"ready", "protects"}`. It is the
guardian too: at the end of the socket, which is also what the death of the runner looks like, it kills the process
group of every run.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from io import TextIOWrapper
from typing import Any, NoReturn

from flowsource.parameters import parameters_of
from flowsource.runner import child, protection

_CHANNEL, _OUTPUT = 3, 4
_PR_SET_PDEATHSIG = 1
_PATIENCE_MS = 100
# What service managers send to every process of a service: when to end is for the runner to say.
_NOT_FOR_US = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    """Serve requests until the socket ends."""
    for number in _NOT_FOR_US:
        signal.signal(number, signal.SIG_IGN)
    requests = socket.socket(fileno=int(sys.argv[1]))
    requests.set_inheritable(False)
    libc = ctypes.CDLL(None, use_errno=True)
    warm_up()
    child.protects_snapshots = protection.is_possible()
    gc.collect()
    gc.freeze()  # Pages of what was imported are never written by a collection, so that forks share them.
    Guardian(requests, libc).serve()


def warm_up() -> None:
    """Do once what each run would else do anew: pydantic imports most of itself when it is first used."""
    parameters = parameters_of(lambda value: value)
    parameters.schema()
    parameters.validate("warm-up", {"value": 1})


class Guardian:
    """Forks on request, tells of ends, and leaves nothing behind."""

    def __init__(self, requests: socket.socket, libc: ctypes.CDLL) -> None:
        self._requests, self._libc = requests, libc
        self._runs: dict[int, tuple[str, int]] = {}  # pidfd -> (id of the request, pid)
        self._poller = select.poll()

    def serve(self) -> None:
        """Work until the runner is gone, and then end every run."""
        self._poller.register(self._requests, select.POLLIN)
        try:
            self._requests.send(json.dumps({"ready": os.getpid(), "protects": child.protects_snapshots}).encode())
            while self._turn():
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            pids = [pid for _, pid in self._runs.values()]
            for pid in pids:
                kill_group(pid)
            for pid in pids:
                os.waitpid(pid, 0)

    def _turn(self) -> bool:
        for fd, _ in self._poller.poll():
            if fd != self._requests.fileno():
                self._tell_end(fd)
                continue
            data, fds, _, _ = socket.recv_fds(self._requests, 65536, 2)
            if not data:
                return False
            try:
                self._start(json.loads(data)["id"], *fds)
            finally:
                for descriptor in fds:
                    os.close(descriptor)
        return True

    def _start(self, request: str, output: int, channel: int) -> None:
        try:
            pid = self._fork(output, channel)
        except OSError as error:
            self._requests.send(json.dumps({"id": request, "error": str(error)}).encode())
            return
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            reap(pid)
            self._requests.send(json.dumps({"id": request, "error": str(error)}).encode())
            return
        self._runs[pidfd] = request, pid
        self._poller.register(pidfd, select.POLLIN)
        socket.send_fds(self._requests, [json.dumps({"id": request, "pid": pid}).encode()], [pidfd])

    def _tell_end(self, pidfd: int) -> None:
        self._poller.unregister(pidfd)
        request, pid = self._runs.pop(pidfd)
        os.close(pidfd)
        self._requests.send(json.dumps({"id": request, "status": reap(pid)}).encode())

    def _fork(self, output: int, channel: int) -> int:
        guardian = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_run(guardian, output, channel)
        return pid

    def _become_run(self, guardian: int, output: int, channel: int) -> NoReturn:
        code = 1
        try:
            os.setsid()
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guardian:
                os._exit(1)  # It died before it could be asked for.
            self._requests.detach()
            os.dup2(output, 1)
            os.dup2(output, 2)
            _place(channel, _CHANNEL, output, _OUTPUT)
            os.closerange(_OUTPUT + 1, os.sysconf("SC_OPEN_MAX"))
            for number in _NOT_FOR_US:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # Anew, for what the old ones knew of their files (a terminal, a place in a file) does not hold for a pipe.
            sys.stdout = sys.__stdout__ = _text_to(1)  # type: ignore[misc]
            sys.stderr = sys.__stderr__ = _text_to(2)  # type: ignore[misc]
            child.main(socket.socket(fileno=_CHANNEL), _OUTPUT)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            _leave(code)


def kill_group(pid: int) -> None:
    """End what is left of the process group of a run, which its pid names."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    # Just forked, it may have no group of its own yet.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def reap(pid: int) -> int:
    """End the process group of `pid`, and return the exit code of `pid` (negative: the signal that ended it)."""
    # The group is named by the pid, which nobody else can have before it is reaped.
    kill_group(pid)
    status = os.waitpid(pid, 0)[1]
    # What was killed takes a moment to be gone, and only then may the run be called ended.
    for _ in range(_PATIENCE_MS):
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.001)
    return os.waitstatus_to_exitcode(status)


def _place(first: int, first_place: int, second: int, second_place: int) -> None:
    """Move two descriptors to places that either of them may be at already."""
    above = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(first_place, second_place) + 1) for fd in (first, second)]
    os.dup2(above[0], first_place, inheritable=False)
    os.dup2(above[1], second_place, inheritable=False)


def _text_to(descriptor: int) -> TextIOWrapper[Any]:
    """A stream that shows each line as soon as it is written, and text that is no Unicode as escapes."""
    stream = os.fdopen(descriptor, "w", 1, "utf-8", "backslashreplace", closefd=False)
    assert isinstance(stream, TextIOWrapper)
    return stream


def _leave(code: int) -> NoReturn:
    """End as an interpreter does: threads joined, exit functions run, output flushed."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
