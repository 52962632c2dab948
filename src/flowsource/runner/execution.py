"""One claimed run, from its process to its final state."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any
from uuid import UUID, uuid4

import anyio
from anyio.abc import TaskGroup

from flowsource.errors import FlowsourceError, StoreUnavailable
from flowsource.runner.conversation import converse
from flowsource.runner.lines import LineSplitter
from flowsource.runner.processes import RunProcess
from flowsource.runner.starter import Starter
from flowsource.runner.terminal import Terminal
from flowsource.runs import Failure, Run, RunState
from flowsource.snapshots.snapshot import Snapshot
from flowsource.store.protocol import LogLine, Outcome, Store

logger = logging.getLogger(__name__)

_FLUSH_EVERY = timedelta(milliseconds=100)
_STORE_RETRY = timedelta(seconds=1)
_MOST_UNSAVED = 5000
_HIGHEST_LEVEL = 1000


_STOPPED = Outcome(
    state=RunState.CANCELLED, failure=Failure(kind="stopped", message="its server was stopped before it ended")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A claimed run with the place its code is at. `directory` is where it starts."""

    run: Run
    entrypoint: str
    snapshot: Snapshot
    directory: Path
    bytecode: Path
    scratch: Path


class Execution:
    """Executes one run: starts its process, keeps what it writes, and records how it ended.

    `on_process_gone` is called as soon as the process is gone, before the end is recorded: its slot is free then.
    """

    def __init__(
        self,
        assignment: Assignment,
        *,
        store: Store,
        server: Starter,
        terminal: Terminal,
        on_process_gone: Callable[[], None],
    ) -> None:
        self._assignment, self._run = assignment, assignment.run
        self._store, self._server, self._terminal = store, server, terminal
        self._on_process_gone = on_process_gone
        self._process: RunProcess | None = None
        self._is_stopping = False
        self._splitter = LineSplitter()
        self._unsaved: list[LogLine] = []
        self._count = 0
        self._has_lines = anyio.Event()
        self._has_room = anyio.Event()
        self._answer: dict[str, Any] | None = None
        self._is_abandoned = False

    async def execute(self) -> None:
        """Run to the end, whatever that is; cancelled, end the process and record that."""
        scratch = self._assignment.scratch
        scratch.mkdir(mode=0o700, parents=True)
        outcome = _STOPPED
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._save_lines)
                outcome = await self._converse(tasks)
                self._on_process_gone()
                tasks.cancel_scope.cancel()
        finally:
            await self._record_end(outcome)
            with anyio.CancelScope(shield=True):
                await _remove(scratch)

    def stop(self, number: Signals = SIGTERM) -> None:
        """Ask the process to end (SIGTERM), or end it (SIGKILL); the run will be `cancelled` unless it ends itself."""
        self._is_stopping = True
        if self._process is not None:
            self._process.signal_group(number)

    def abandon(self) -> None:
        """Do not wait for the store any longer: what is not recorded now will be found out by others."""
        self._is_abandoned = True

    async def _converse(self, tasks: TaskGroup) -> Outcome:
        recorded = anyio.Event()

        def on_start(process: RunProcess) -> None:
            self._process = process
            # Recorded beside the run, so that no write to the store stands between a run and its first line.
            tasks.start_soon(self._record_start, datetime.now(UTC), recorded)
            if self._is_stopping:
                process.signal_group(SIGTERM)

        status, lost = 0, None
        try:
            how = await converse(
                self._server,
                self._order(),
                on_output=self._on_output,
                on_message=self._on_message,
                on_start=on_start,
                until_room=self._until_room,
            )
            status = how.status
        except FlowsourceError as error:
            lost = str(error)
        if self._process is not None:
            await recorded.wait()
        for text in self._splitter.close():
            self._add(text, at=datetime.now(UTC))
        if lost is not None and self._answer is None:
            return Outcome(state=RunState.CRASHED, failure=Failure(kind="process", message=lost))
        return outcome_of(self._answer, status, is_stopping=self._is_stopping)

    def _order(self) -> dict[str, Any]:
        run, place = self._run, self._assignment
        assert run.revision is not None, "a claimed run has its revision"
        return {
            "kind": "run",
            "entrypoint": place.entrypoint,
            "root": str(place.snapshot.root),
            "directory": str(place.directory),
            "is_mounted": place.snapshot.is_mounted,
            "bytecode": str(place.bytecode),
            "parameters": dict(run.parameters),
            "run": {
                "id": str(run.id),
                "name": run.name,
                "deployment": run.deployment,
                "revision": run.revision.to_json(),
                "scheduled_at": run.scheduled_at.isoformat(),
                "scratch": str(place.scratch),
            },
        }

    def _on_output(self, data: bytes) -> None:
        now = datetime.now(UTC)
        for text in self._splitter.feed(data):
            self._add(text, at=now)

    def _on_message(self, message: dict[str, Any]) -> None:
        if message["type"] == "outcome":
            self._answer = self._answer or message
            return
        at = datetime.fromtimestamp(float(message["at"]), UTC)
        level = max(0, min(int(message["level"]), _HIGHEST_LEVEL))
        for text in str(message["text"]).split("\n"):
            self._add(text, at=at, level=level, source=str(message["logger"]))

    def _add(self, text: str, *, at: datetime, level: int = logging.INFO, source: str | None = None) -> None:
        self._count += 1
        line = LogLine(seq=self._count, at=at, level=level, text=text, logger=source)
        self._unsaved.append(line)
        self._has_lines.set()
        self._terminal.line(self._run.name, line)

    async def _save_lines(self) -> None:
        """Keep the lines in batches, so that a chatty flow does not cost a write each."""
        while True:
            await self._has_lines.wait()
            await anyio.sleep(_FLUSH_EVERY.total_seconds())
            self._has_lines = anyio.Event()
            lines = list(self._unsaved)
            try:
                await self._store.append_lines(self._run.id, lines)
            except StoreUnavailable as error:
                logger.warning("the log of run %s waits for the store: %s", self._run.name, error)
                self._has_lines.set()
                continue
            # Lines that came meanwhile stay; a line that is sent twice is kept once, by its number.
            del self._unsaved[: len(lines)]
            self._has_room.set()

    async def _until_room(self) -> None:
        """Wait while too much is unsaved: a flow that writes faster than can be kept is slowed, and loses nothing."""
        while len(self._unsaved) >= _MOST_UNSAVED:
            self._has_room = anyio.Event()
            await self._has_room.wait()

    async def _record_start(self, at: datetime, recorded: anyio.Event) -> None:
        try:
            with anyio.CancelScope(shield=True):
                self._run = await self._insist(
                    lambda transition_id: self._store.start(
                        self._run.id, self._run.epoch, at=at, transition_id=transition_id
                    )
                )
            self._terminal.run_started(self._run)
        except FlowsourceError as error:
            logger.warning("run %s is not ours any more and is ended: %s", self._run.name, error)
            self.stop(SIGKILL)
        finally:
            recorded.set()

    async def _record_end(self, outcome: Outcome) -> None:
        lines = list(self._unsaved)
        try:
            with anyio.CancelScope(shield=True):
                self._run = await self._insist(
                    lambda transition_id: self._store.finish(
                        self._run.id,
                        self._run.epoch,
                        outcome,
                        at=datetime.now(UTC),
                        transition_id=transition_id,
                        lines=lines,
                    )
                )
            self._terminal.run_ended(self._run)
        except FlowsourceError as error:
            logger.warning("how run %s ended could not be recorded: %s", self._run.name, error)

    async def _insist(self, write: Callable[[UUID], Awaitable[Run]]) -> Run:
        """Repeat a transition, as the same one, until the store takes or refuses it."""
        transition_id = uuid4()
        while True:
            try:
                return await write(transition_id)
            except StoreUnavailable as error:
                if self._is_abandoned:
                    raise
                logger.warning("run %s waits for the store: %s", self._run.name, error)
                await anyio.sleep(_STORE_RETRY.total_seconds())


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"  # Those for real time have numbers only.


async def _remove(scratch: Path) -> None:
    try:
        scratch.rmdir()  # noqa: ASYNC240 - most runs leave it empty, and a thread costs more than this one call
    except OSError:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(scratch, ignore_errors=True))


def outcome_of(answer: dict[str, Any] | None, status: int, *, is_stopping: bool) -> Outcome:
    """How a run ended, by what its process answered and how it left.

    What the flow itself reached is the truth, even if it was being stopped; without an answer the process crashed, or
    was ended by us.
    """
    if answer is not None:
        failure = Failure(**answer["failure"]) if "failure" in answer else None
        return Outcome(
            state=RunState(answer["state"]),
            failure=failure,
            has_result=answer.get("has_result", False),
            result=answer.get("result"),
        )
    if is_stopping:
        return _STOPPED
    how = f"was killed by {_signal_name(-status)}" if status < 0 else f"left with exit code {status}"
    return Outcome(
        state=RunState.CRASHED,
        failure=Failure(kind="process", message=f"its process {how} before it said how it ended"),
    )
