"""The fork server: a small process that has the child runtime imported, and forks one process per run.

Started by exec with the number of a SOCK_SEQPACKET socket. It has no thread and does nothing else, so that a fork is
safe and cheap. Requests are JSON with two descriptors (output pipe, channel); the answers are `{"id", "pid"}` with a
pidfd, and later `{"id", "status"}`. It is the guardian too: at the end of the socket, which is also what the death of
the runner looks like, it kills the process group of every run.
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
import traceback
from io import TextIOWrapper
from typing import Any, NoReturn

from flowsource.parameters import parameters_of
from flowsource.runner import child

_CHANNEL, _OUTPUT = 3, 4
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve requests until the socket ends."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    requests.set_inheritable(False)
    libc = ctypes.CDLL(None, use_errno=True)
    warm_up()
    gc.collect()
    gc.freeze()  # Pages of what was imported are never written by a collection, so that forks share them.
    requests.send(json.dumps({"ready": os.getpid()}).encode())
    serve(requests, libc)


def warm_up() -> None:
    """Do once what each run would else do anew: pydantic imports most of itself when it is first used."""
    parameters = parameters_of(lambda value: value)
    parameters.schema()
    parameters.validate("warm-up", {"value": 1})


def serve(requests: socket.socket, libc: ctypes.CDLL) -> None:
    """Fork on request, tell of ends, and leave nothing behind."""
    runs: dict[int, tuple[str, int]] = {}  # pidfd -> (id of the request, pid)
    poller = select.poll()
    poller.register(requests, select.POLLIN)
    try:
        while True:
            for fd, _ in poller.poll():
                if fd == requests.fileno():
                    data, fds, _, _ = socket.recv_fds(requests, 65536, 2)
                    if not data:
                        return
                    pid = fork(requests, libc, fds)
                    pidfd = os.pidfd_open(pid)
                    request = json.loads(data)["id"]
                    runs[pidfd] = request, pid
                    poller.register(pidfd, select.POLLIN)
                    socket.send_fds(requests, [json.dumps({"id": request, "pid": pid}).encode()], [pidfd])
                else:
                    poller.unregister(fd)
                    request, pid = runs.pop(fd)
                    os.close(fd)
                    requests.send(json.dumps({"id": request, "status": reap(pid)}).encode())
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        for _, pid in runs.values():
            reap(pid)


def fork(requests: socket.socket, libc: ctypes.CDLL, fds: list[int]) -> int:
    """A new process with `fds` as its output and its channel; returns its pid."""
    guardian = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become_run(requests, libc, guardian, *fds)
    for fd in fds:
        os.close(fd)
    return pid


def reap(pid: int) -> int:
    """End what is left of the process group of `pid`, and return its exit code (negative: the signal that ended it)."""
    # The group is named by the pid, which nobody else can have before it is reaped.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become_run(requests: socket.socket, libc: ctypes.CDLL, guardian: int, output: int, channel: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(1)  # It died before it could be asked for.
        requests.detach()
        os.dup2(output, 1)
        os.dup2(output, 2)
        _place(channel, _CHANNEL, output, _OUTPUT)
        os.closerange(_OUTPUT + 1, os.sysconf("SC_OPEN_MAX"))
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
