"""The guardian of runs: forks a process for each on request, and leaves nothing of it behind.

Started by exec with the number of a SOCK_SEQPACKET socket, and with the control group that it is to be in (or nothing)
as its second argument. It has no thread and does nothing else, so that a fork is
safe and cheap. Requests are JSON with two descriptors (output pipe, channel). Answers are JSON too: `{"id", "pid"}`
with a pidfd, said by the new process itself before it begins, and later `{"id", "status", "left", "oom"}`, or
`{"id", "error"}`; before them all comes what the guardian says of itself. At the end of the socket, which is also what
the death of the runner looks like, it kills all that is left.

Each run is the subreaper of what it starts, and the guardian that of its runs. So whatever a run leaves behind, however
it was detached, becomes a child of the guardian when the run is gone, and a child that is no run is such a leftover.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowsource.runner.processes import control_groups, descent
from flowsource.runner.processes.birth import NOT_FOR_GUARDIANS, adopt_orphans, detach, forbid_cores
from flowsource.runner.processes.scarcity import KillsForMemory

# What helps a run along, such as the trackers of multiprocessing, ends by itself as soon as it sees that the run has.
_SECONDS_TO_FOLLOW = 0.5

Live = Callable[[], None]


@dataclass(slots=True)
class _Run:
    """A process of a run. `oom_kills` is how many there had been when it began."""

    request: str
    mark: str
    oom_kills: int


@dataclass(slots=True)
class _Departing:
    """A run that has ended, while some of what it left is still there. `counted` are those that did not follow it."""

    run: _Run
    pid: int
    status: int
    kill_at: float
    counted: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)


class Guardian:
    """Serves requests on a socket; `live` is what a process does once it stands alone, and never returns."""

    def __init__(self, requests: socket.socket, live: Live) -> None:
        self._requests, self._live = requests, live
        self._pid = os.getpid()
        self._mark = os.environ.get(descent.MARK, "")
        self._runs: dict[int, _Run] = {}
        self._departing: list[_Departing] = []
        self._not_ours_to_kill: set[int] = set()
        self._kills = KillsForMemory.of_this_process()
        self._woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poller = select.poll()
        self._poller.register(self._requests, select.POLLIN)
        self._poller.register(self._woken, select.POLLIN)

    def serve(self, hello: dict[str, Any]) -> None:
        """Say `hello`, work until the runner is gone, and then end every run."""
        try:
            self._tell(hello)
            while self._turn():
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # The runner died while it was told something: as good as the end of the socket.
        finally:
            self._end_all()

    def _turn(self) -> bool:
        for fd, _ in self._poller.poll(self._patience()):
            if fd == self._woken:
                os.read(self._woken, 4096)
                continue
            data, fds, _, _ = socket.recv_fds(self._requests, 65536, 2)
            if not data:
                return False
            try:
                self._start(json.loads(data)["id"], *fds)
            finally:
                for descriptor in fds:
                    os.close(descriptor)
        self._take_leave()
        return True

    def _patience(self) -> int | None:
        """Milliseconds until something is to be killed; None when the next thing to happen is for others to do."""
        due = [one.kill_at for one in self._departing if one.left - one.counted]
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1) if due else None

    def _start(self, request: str, output: int, channel: int) -> None:
        run = _Run(request, f"{self._mark}.{request}", self._kills.count())
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({"id": request, "error": str(error)})
            return
        if pid == 0:
            try:
                detach(self._pid, self._requests, request, run.mark, output, channel)
                self._live()
            except BaseException as error:
                sys.excepthook(type(error), error, error.__traceback__)
            finally:
                os._exit(1)
        self._runs[pid] = run

    def _take_leave(self) -> None:
        """Reap whatever has ended, kill what it left, and tell of those that nothing is left of."""
        has_reaped = False
        while (dead := _reap_one()) is not None:
            has_reaped = True
            pid, status = dead
            self._not_ours_to_kill.discard(pid)
            run = self._runs.pop(pid, None)
            if run is not None:
                # One that was killed has been given its time to end: what it left is not to have more.
                patience = _SECONDS_TO_FOLLOW if status >= 0 else 0.0
                self._departing.append(_Departing(run, pid, status, time.monotonic() + patience))
        if not has_reaped and not self._departing:
            return
        self._look_for_leftovers()
        for one in [one for one in self._departing if not one.left]:
            self._departing.remove(one)
            self._tell_end(one)

    def _look_for_leftovers(self) -> None:
        # A child is listed until it is reaped, and nobody but us does that, so that none is missed.
        strangers = descent.children_of(self._pid) - self._runs.keys() - self._not_ours_to_kill
        for one in self._departing:
            one.left = set()
        for pid in strangers:
            if (owner := self._owner_of(pid)) is not None:
                owner.left.add(pid)
        now = time.monotonic()
        for one in [one for one in self._departing if now >= one.kill_at]:
            # All of them are counted before the first is killed: their groups go with them.
            alive = filter(descent.is_alive, one.left)
            one.counted.update(*({pid, *filter(descent.is_alive, descent.descendants_of(pid))} for pid in alive))
            one.left = {pid for pid in one.left if self._kill(pid)}

    def _owner_of(self, pid: int) -> _Departing | None:
        """The run that left `pid`, by its session or its mark, else one of those that end just now.

        None for what is part of a run that goes on: it can be had as a child by means that bypass its parent.
        """
        session = os.getsid(pid)
        if session in self._runs or not self._departing:
            return None
        if len(self._departing) == 1:
            return self._departing[0]
        for one in self._departing:
            if one.pid == session:
                return one
        mark = descent.mark_of(pid)
        return next((one for one in self._departing if one.run.mark == mark), self._departing[0])

    def _kill(self, pid: int) -> bool:
        """Kill a child and its whole group; False, from now on, when it belongs to another user."""
        try:
            # Its group at once, so that it cannot fork faster than it is killed. One just forked is in ours still.
            if (group := os.getpgid(pid)) != self._pid:
                os.killpg(group, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # It has ended meanwhile.
        except PermissionError:
            self._not_ours_to_kill.add(pid)
            return False
        return True

    def _tell_end(self, ended: _Departing) -> None:
        is_out_of_memory = ended.status == -signal.SIGKILL and self._kills.count() > ended.run.oom_kills
        self._tell(
            {
                "id": ended.run.request,
                "status": ended.status,
                "left": len(ended.counted),
                "oom": is_out_of_memory,
            }
        )

    def _tell(self, message: dict[str, Any]) -> None:
        self._requests.send(json.dumps(message).encode())

    def _end_all(self) -> None:
        """Kill every child, and those that become children by that, until there are none."""
        # None are left to wait for.
        with contextlib.suppress(ChildProcessError):
            while children := descent.children_of(self._pid) - self._not_ours_to_kill:
                for pid in children:
                    self._kill(pid)
                if children - self._not_ours_to_kill:
                    os.waitid(os.P_ALL, 0, os.WEXITED)


def prepared() -> socket.socket:
    """Make this process fit to be a guardian; the socket that it was started with."""
    if group := sys.argv[2]:
        # Once for all of its runs: to move each would cost it, and whoever forks meanwhile, some milliseconds.
        control_groups.join(Path(group))
    for number in NOT_FOR_GUARDIANS:
        signal.signal(number, signal.SIG_IGN)
    adopt_orphans()
    forbid_cores()
    requests = socket.socket(fileno=int(sys.argv[1]))
    requests.set_inheritable(False)
    return requests


def _reap_one() -> tuple[int, int] | None:
    """The pid and the exit code (negative: the signal) of a child that has ended; None when there is none."""
    try:
        dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if dead is None:
        return None
    return dead.si_pid, dead.si_status if dead.si_code == os.CLD_EXITED else -dead.si_status
