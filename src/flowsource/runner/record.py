"""The record of one run: what the store is told of it, in order, each step until the store takes or refuses it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import anyio
from anyio.abc import TaskGroup

from flowsource.errors import FlowsourceError, StoreUnavailable
from flowsource.events import NewEvent
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.spool import Spool
from flowsource.runs import CancelPhase, Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import LogLine, NestedRun, Outcome

logger = logging.getLogger(__name__)

_STORE_RETRY = timedelta(seconds=1)

# The beginning of a run that has ended by then is written with its end.
_BEGINNING_MAY_WAIT = timedelta(milliseconds=20)

# Writes once, as the transition of the id that it is given; what it returns is the run as it is then, if it knows.
_Write = Callable[[UUID], Awaitable[Run | None]]


class RunRecord:
    """Records the life of one claimed run. `on_refused` is called once when the run turns out not to be ours any more.

    What is told while the run goes on is written beside it, by one task of `tasks` (see `open`): no write to the store
    stands between a run and its first line.
    """

    def __init__(
        self,
        run: Run,
        store: Store,
        terminal: Terminal,
        *,
        on_refused: Callable[[], None],
        spool: Spool | None = None,
    ) -> None:
        self._run, self._store, self._terminal = run, store, terminal
        self._on_refused = on_refused
        self._spool = spool
        self._end_known: Callable[[UUID], dict[str, Any]] | None = None
        self._end_kept: UUID | None = None
        self._tasks: TaskGroup | None = None
        self._began_at: datetime | None = None
        self._waiting: deque[_Write] = deque()
        self._nested: list[NestedRun] = []
        self._emitted: list[NewEvent] = []
        self._hurry = anyio.Event()
        self._settled: anyio.Event | None = None
        self._is_refused = self._is_abandoned = self._is_ending = False

    @property
    def run(self) -> Run:
        """The run as it was recorded last."""
        return self._run

    def open(self, tasks: TaskGroup) -> None:
        """Write in a task of `tasks` what is told from now on, and what was told before."""
        self._tasks = tasks
        self._write_soon()

    def started(self, at: datetime) -> None:
        """It has a process since `at`."""
        self._began_at = at
        self._terminal.run_moved(replace(self._run, state=RunState.RUNNING, started_at=at))
        self._write_soon()

    def renamed(self, name: str) -> None:
        """Its flow gave it a name."""
        if name != self._run.name:
            self._tell(lambda _: self._store.rename(self._run.id, self._run.epoch, name))

    def noted(self, phase: CancelPhase, at: datetime) -> None:
        """Something was done about its cancellation."""
        self._tell(lambda _: self._store.note_cancel(self._run.id, self._run.epoch, phase, at=at))

    def nested(self, child: NestedRun) -> None:
        """A flow that is called inside of it began or ended."""
        self._nested.append(child)
        # Together with those that come before its turn: a flow may call many.
        if len(self._nested) == 1:
            self._tell(self._write_nested)

    def emitted(self, event: NewEvent) -> None:
        """It told an event."""
        self._emitted.append(event)
        if len(self._emitted) == 1:
            self._tell(self._write_emitted)

    async def settled(self) -> None:
        """Return once what was told so far is recorded."""
        self._hurry.set()
        if self._settled is not None:
            await self._settled.wait()

    async def finish(self, outcome: Outcome, lines: Sequence[LogLine] = ()) -> bool:
        """It ended; after all that was told before. Whether that was recorded.

        While the store is away it is kept in the spool, so that it is told by others should we die before.
        """
        ended_at = self._store.now()

        def said(transition_id: UUID) -> dict[str, Any]:
            return {
                "run_id": self._run.id,
                "epoch": self._run.epoch,
                "outcome": outcome,
                "at": ended_at,
                "transition_id": transition_id,
                "began_at": self._began_at,
                "lines": lines,
            }

        async def finish(transition_id: UUID) -> Run:
            return await self._store.finish(**said(transition_id))

        self._end_known = said
        is_recorded = await self._end(finish, tells=True)
        if self._spool is not None and self._end_kept is not None and not self._is_abandoned:
            await self._spool.end_told(self._end_kept)
        return is_recorded

    async def release(self) -> bool:
        """It was not begun, and goes back to where it waited. Whether that was recorded."""

        def release(transition_id: UUID) -> Awaitable[Run]:
            now = self._store.now()
            return self._store.release(self._run.id, self._run.epoch, at=now, transition_id=transition_id)

        return await self._end(release, tells=False)

    def abandon(self) -> None:
        """Do not wait for the store any longer: what is not recorded now will be found out by others."""
        self._is_abandoned = True

    async def _end(self, write: _Write, *, tells: bool) -> bool:
        with anyio.CancelScope(shield=True):
            self._is_ending = True
            await self.settled()
            # What nobody was there to write while it went on.
            if self._waiting:
                await self._write_waiting()
            if self._is_refused or not await self._insist(write):
                return False
        if tells:
            self._terminal.run_moved(self._run)
        return True

    def _tell(self, write: _Write) -> None:
        self._waiting.append(write)
        self._hurry.set()
        self._write_soon()

    def _write_soon(self) -> None:
        has_news = self._began_at is not None or self._waiting
        # Whoever ends it writes what is told meanwhile: two at once would tell the same twice.
        if self._tasks is not None and has_news and self._settled is None and not self._is_ending:
            self._settled = anyio.Event()
            self._tasks.start_soon(self._write_beside, self._settled)

    async def _write_beside(self, settled: anyio.Event) -> None:
        try:
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(_BEGINNING_MAY_WAIT.total_seconds()):
                    await self._hurry.wait()
                if self._waiting or not self._is_ending:
                    await self._write_waiting()
        finally:
            self._settled = None
            settled.set()

    async def _write_waiting(self) -> None:
        if self._began_at is not None and await self._insist(partial(self._write_beginning, self._began_at)):
            self._began_at = None
        while self._waiting and not self._is_refused:
            await self._insist(self._waiting.popleft())

    async def _write_beginning(self, at: datetime, transition_id: UUID) -> Run:
        return await self._store.start(self._run.id, self._run.epoch, at=at, transition_id=transition_id)

    async def _write_nested(self, _: UUID) -> None:
        while self._nested:
            told = list(self._nested)
            await self._store.nest(self._run.id, self._run.epoch, told)
            del self._nested[: len(told)]

    async def _write_emitted(self, _: UUID) -> None:
        while self._emitted:
            told = list(self._emitted)
            await self._store.emit(told)
            del self._emitted[: len(told)]

    async def _keep_end(self) -> None:
        """Keep on the disk how it ended, once that is known."""
        if self._spool is not None and self._end_known is not None and self._end_kept is None:
            key = uuid4()
            if await self._spool.keep_end(key, "finish", self._end_known(key)):
                self._end_kept = key

    async def _insist(self, write: _Write) -> bool:
        """Repeat a step, as the same one, until the store takes or refuses it; whether it took it."""
        transition_id = uuid4()
        while True:
            try:
                self._run = await write(transition_id) or self._run
                return True
            except StoreUnavailable as error:
                await self._keep_end()
                if self._is_abandoned:
                    what = "could not be recorded" if self._end_kept is None else "is told when a server starts here"
                    logger.warning("what became of run %s %s: %s", self._run.name, what, error)
                    return False
                logger.warning("run %s waits for the store: %s", self._run.name, error)
                await anyio.sleep(_STORE_RETRY.total_seconds())
            except FlowsourceError as error:
                logger.warning("run %s is not ours any more: %s", self._run.name, error)
                if not self._is_refused:
                    self._is_refused = True
                    self._on_refused()
                return False
