"""A process that was just forked, made into that of a run: its session, its descriptors, its signals, its end."""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Final, NoReturn

from flowsource.runner.child.streams import open_streams
from flowsource.runner.processes.descent import MARK

CHANNEL: Final = 3
OUTPUT: Final = 4
# What service managers send to every process of a service: when to end is for the runner to say.
NOT_FOR_GUARDIANS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """From now on a process that loses its parent, and descends from this one, becomes a child of this one."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def forbid_cores() -> None:
    """Nothing of what this process or those it starts have in memory is ever left in a file by a crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def detach(guardian: int, requests: socket.socket, request: str, mark: str, output: int, channel: int) -> None:
    """Stand alone: in a session of one's own, with the two descriptors in their places and no other.

    The runner is told first. So a run of which it has not heard when the guardian is gone has not begun, and never
    will.
    """
    signal.set_wakeup_fd(-1)
    for number in (*NOT_FOR_GUARDIANS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guardian:
        os._exit(1)  # It died before it could be asked for.
    adopt_orphans()
    os.environ[MARK] = mark
    pidfd = os.pidfd_open(os.getpid())
    socket.send_fds(requests, [json.dumps({"id": request, "pid": os.getpid()}).encode()], [pidfd])
    requests.detach()
    os.dup2(output, 1)
    os.dup2(output, 2)
    _place(channel, CHANNEL, output, OUTPUT)
    os.closerange(OUTPUT + 1, os.sysconf("SC_OPEN_MAX"))


def live(main: Callable[[socket.socket, int], None]) -> NoReturn:
    """Be the run whose descriptors are in their places, and end as an interpreter does."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Anew, for what the old ones knew of their files (a terminal, a place in a file) does not hold for a pipe.
        open_streams()
        main(socket.socket(fileno=CHANNEL), OUTPUT)
        code = 0
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        _leave(code)


def _place(first: int, first_place: int, second: int, second_place: int) -> None:
    """Move two descriptors to places that either of them may be at already."""
    above = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(first_place, second_place) + 1) for fd in (first, second)]
    os.dup2(above[0], first_place, inheritable=False)
    os.dup2(above[1], second_place, inheritable=False)


def _leave(code: int) -> NoReturn:
    """Threads joined, exit functions run, output flushed."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter calls as it ends
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
