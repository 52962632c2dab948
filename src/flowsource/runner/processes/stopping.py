"""Ending a process: asked first (SIGTERM), and made to (SIGKILL) when its time for that is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from signal import SIGKILL, SIGTERM

import anyio
from anyio.abc import TaskGroup

from flowsource.runner.outcomes import Stop
from flowsource.runner.processes.process import RunProcess
from flowsource.runs import CancelPhase


class Stopper:
    """Ends one process, for the first of the reasons that there are. `on_phase` is told how far that has come."""

    def __init__(self, on_phase: Callable[[CancelPhase], None]) -> None:
        self._on_phase = on_phase
        self._process: RunProcess | None = None
        self._tasks: TaskGroup | None = None
        self._kill_at: float | None = None
        self.reason: Stop | None = None

    def watch(self, process: RunProcess, tasks: TaskGroup) -> None:
        """Take charge of a process that was just started; `tasks` live at least as long as it does."""
        self._process, self._tasks = process, tasks
        if self._kill_at is not None:
            self._signal()

    def stop(self, why: Stop, *, grace: timedelta) -> None:
        """Have it end within `grace`. Asked again, the shortest time counts, and the first reason."""
        is_first, self.reason = self.reason is None, self.reason or why
        kill_at = anyio.current_time() + grace.total_seconds()
        if self._kill_at is not None and self._kill_at <= kill_at:
            return
        self._kill_at = kill_at
        if self._process is None or self._process.is_gone:
            return
        if is_first:
            self._signal()
        else:
            # A second SIGTERM would end it where it cleans up; it only has less time for that now.
            self._kill_in_time()

    def _signal(self) -> None:
        assert self._process is not None and self._tasks is not None, "there is a process to end"
        self._process.signal_group(SIGTERM)
        self._tasks.start_soon(self._process.remind)
        self._on_phase(CancelPhase.SIGNALLED)
        self._kill_in_time()

    def _kill_in_time(self) -> None:
        assert self._tasks is not None, "the process came with tasks"
        self._tasks.start_soon(self._kill)

    async def _kill(self) -> None:
        assert self._process is not None and self._kill_at is not None, "it was asked to end"
        await anyio.sleep_until(self._kill_at)
        if not self._process.is_gone:
            self._process.signal_group(SIGKILL)
            self._on_phase(CancelPhase.KILLED)
