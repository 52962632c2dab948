"""A run's process as its runner sees it: signalled through a pidfd, waited for without polling."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from flowsource.errors import FlowsourceError
from flowsource.runner.child.terminating import REMINDER

_FIRST_REMINDER_AFTER = 0.1  # s


class GuardianFailed(FlowsourceError):
    """The process that starts runs could not be had, or ended and took a run along."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended, told once it and all that it had started were gone.

    `status` is its exit code, negative for the signal that ended it. `left_behind` counts the other processes that did
    not end with it and had to be killed. `is_out_of_memory` says that the kernel killed it for want of memory; where
    that cannot be known it is False.
    """

    status: int
    left_behind: int = 0
    is_out_of_memory: bool = False


@dataclass
class RunProcess:
    """A process that executes one run. Signals reach its whole process group."""

    pid: int
    pidfd: int
    _ended: anyio.Event = field(default_factory=anyio.Event)
    _exit: Exit | None = None

    async def wait(self) -> Exit | None:
        """How it ended, once it and all that it had started are gone.

        None when it ended because its guardian did, which says nothing about the run.
        """
        await self._ended.wait()
        return self._exit

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
            os.killpg(self.pid, number)

    async def remind(self) -> None:
        """Have it hear the signal that it was sent, whatever it waits for; until it is gone, and less and less often.

        See `REMINDER`. On a machine that is busy one signal in a thousand is not heard by itself.
        """
        delay = _FIRST_REMINDER_AFTER
        while not self.is_gone:
            with anyio.move_on_after(delay):
                await self._ended.wait()
            self.signal_group(REMINDER)
            delay *= 2

    def end(self, how: Exit | None) -> None:
        """Note that it is gone; None when its guardian is."""
        self._exit = how
        os.close(self.pidfd)
        self._ended.set()
