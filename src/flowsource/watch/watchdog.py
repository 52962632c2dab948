"""A watch over work that may never end: it is told to stop, and where it does not even do that, left behind."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from flowsource.watch.patience import GivenUp

T = TypeVar("T")

_TO_STOP = timedelta(seconds=5)


class Silence:
    """Since when nothing was heard of some work; `heard` may be called from any thread."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def heard(self, _what: object = None) -> None:
        """Note a sign of life."""
        self._since = time.monotonic()

    def lasts(self) -> float:
        """Seconds since the last one."""
        return time.monotonic() - self._since


class _Attempt(Generic[T]):
    """Work in a task of its own. `ended` is set when it has, however."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._answers: list[T] = []
        self._error: Exception | None = None
        self.scope, self.ended = anyio.CancelScope(), anyio.Event()

    async def run(self) -> None:
        try:
            with self.scope:
                self._answers.append(await self._work())
        except Exception as error:
            self._error = error
        finally:
            self.ended.set()

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        [answer] = self._answers
        return answer


class Watchdog:
    """Waits for work in tasks of `tasks`, and no longer than it shows signs of life.

    `left_behind` counts what did not even end when it was told to, such as a thread that waits for a disk which has
    gone: it keeps what it holds, and whatever does not need that goes on without it.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self.left_behind = 0

    async def wait_for(self, work: Callable[[], Awaitable[T]], *, what: str, silence: Silence, limit: timedelta) -> T:
        """What `work` returns or raises; GivenUp once `silence` lasted for `limit`, naming `what` hangs."""
        attempt = _Attempt(work)
        self._tasks.start_soon(attempt.run)
        try:
            while not attempt.ended.is_set() and (rest := limit.total_seconds() - silence.lasts()) > 0:
                with anyio.move_on_after(rest):
                    await attempt.ended.wait()
        except BaseException:
            attempt.scope.cancel()
            raise
        if not attempt.ended.is_set():
            await self._leave(attempt)
            left = f"; {self.left_behind} such are left behind" if self.left_behind else ""
            raise GivenUp(f"{what} showed no sign of life for {_said(limit)}, and was given up{left}.")
        return attempt.outcome()

    async def _leave(self, attempt: _Attempt[T]) -> None:
        attempt.scope.cancel()
        with anyio.move_on_after(_TO_STOP.total_seconds()):
            await attempt.ended.wait()
        if not attempt.ended.is_set():
            self.left_behind += 1
            self._tasks.start_soon(self._come_back, attempt)

    async def _come_back(self, attempt: _Attempt[T]) -> None:
        await attempt.ended.wait()
        self.left_behind -= 1


def _said(limit: timedelta) -> str:
    seconds = limit.total_seconds()
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
