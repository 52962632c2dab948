"""The log of one attempt of a run: what its processes write, kept line by line, in batches and within bounds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from flowsource.errors import FlowsourceError, StoreUnavailable
from flowsource.runner.output.lines import LineSplitter, storable
from flowsource.runner.output.tail import LINES, Tail
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.spool import Spool
from flowsource.runs import Run
from flowsource.settings import LogLimits
from flowsource.store.protocol import Store
from flowsource.store.values import LogLine
from flowsource.text import size_text

logger = logging.getLogger(__name__)

_FLUSH_EVERY = timedelta(milliseconds=100)
_BATCH = 5000
# How long a store that does not answer is left alone, while there is room for more.
_AWAY_FOR = timedelta(milliseconds=500)
_MOST_UNSAVED_CHARACTERS = 4 * 1024 * 1024
_HIGHEST_LEVEL = 1000
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class _Record:
    at: datetime
    level: int
    logger: str
    text: str
    extra: Mapping[str, Any]


class RunLog:
    """Keeps what the processes of one attempt write, and shows it on `terminal`.

    A flow that writes faster than can be kept is slowed, and loses nothing; until it has written what `limits` allow.
    While the store is away it is not: what has no room in memory goes to the `spool`, and is counted if that is full.
    From there on it is not slowed any more: of what it writes the last lines are kept, and the others are counted.
    """

    def __init__(
        self, run: Run, *, store: Store, terminal: Terminal, limits: LogLimits, spool: Spool | None = None
    ) -> None:
        self._run, self._store, self._terminal, self._limits = run, store, terminal, limits
        self._spool, self._unkept = spool, 0
        self._name = run.name
        self._unsaved: list[LogLine] = []
        self._unsaved_characters = self._characters = self._count = 0
        self._has_lines, self._has_room, self._is_full = anyio.Event(), anyio.Event(), anyio.Event()
        self._tail: Tail[_Record] | None = None

    @property
    def unsaved(self) -> list[LogLine]:
        """The lines that are not in the store yet."""
        return list(self._unsaved)

    def renamed(self, name: str) -> None:
        """The run is called so from now on."""
        self._name = name

    def of_process(self) -> ProcessLog:
        """Where what one process writes is to be put."""
        return ProcessLog(self)

    def say(self, level: int, text: str) -> None:
        """Add a line of ours, however much the flow wrote."""
        self._add(_Record(datetime.now(UTC), level, "flowsource", text, {}))

    def printed(self, lines: list[str], at: datetime) -> None:
        """Add lines that were printed."""
        for place, text in enumerate(lines):
            if self._tail is None and not self._has_allowance(text):
                self._begin_to_leave_out()
            if self._tail is not None:
                rest = "".join(f"{line}\n" for line in lines[place:])
                self._tail.printed(rest.encode("utf-8", "backslashreplace"), at=at)
                return
            self._add((at, text))

    def recorded(self, message: Mapping[str, Any]) -> None:
        """Add a log record, as the process of a run tells it."""
        record = _record(message, now=datetime.now(UTC))
        if self._tail is None and not self._has_allowance(record.text):
            self._begin_to_leave_out()
        if self._tail is None:
            self._add(record)
        else:
            self._tail.recorded(record, len(record.text))

    @property
    def is_leaving_out(self) -> bool:
        """Whether no more is kept than the end."""
        return self._tail is not None

    def leave_out(self, data: bytes, at: datetime) -> None:
        """Take what is printed, while it is not kept, except for the end."""
        assert self._tail is not None, "it is told by is_leaving_out"
        self._tail.printed(data, at=at)

    def close(self) -> None:
        """Those who wrote are gone: add the last lines of what was left out. Others may write then."""
        if self._tail is None:
            return
        last, left_out = self._tail.close()
        if left_out.lines:
            lines = f"{left_out.lines:,} line{'' if left_out.lines == 1 else 's'}"
            self.say(logging.WARNING, f"... {lines} ({size_text(left_out.size)}) left out: {self._limit_text}")
        for line in last:
            self._add(line)

    async def until_room(self) -> None:
        """Wait while too much is unsaved."""
        while self._is_over_full:
            self._is_full.set()
            self._has_room = anyio.Event()
            await self._has_room.wait()

    async def save(self) -> None:
        """Keep the lines as they come, until cancelled; in batches, for a write each would be dear."""
        while True:
            await self._has_lines.wait()
            with anyio.move_on_after(_FLUSH_EVERY.total_seconds()):
                await self._is_full.wait()
            self._has_lines, self._is_full = anyio.Event(), anyio.Event()
            while lines := self._unsaved[:_BATCH]:
                try:
                    await self._store.append_lines(self._run.id, lines)
                except StoreUnavailable as error:
                    logger.warning("the log of run %s waits for the store: %s", self._name, error)
                    await self._set_aside(lines)
                    self._has_lines.set()
                    break
                except FlowsourceError as error:
                    # What becomes of the run is for its reports to find out: they are refused as well, or taken.
                    logger.warning("%d lines of run %s are refused: %s", len(lines), self._name, error)
                self.saved(lines)
                self._tell_unkept()

    async def save_rest(self) -> None:
        """Keep what is left when nobody writes any more: in the spool, if the store is away."""
        while lines := self._unsaved[:_BATCH]:
            try:
                await self._store.append_lines(self._run.id, lines)
            except FlowsourceError as error:
                spool = self._spool if isinstance(error, StoreUnavailable) else None
                if spool is None or not await spool.keep_lines(self._run.id, lines):
                    logger.warning("the last %d lines of run %s are lost: %s", len(lines), self._name, error)
            self.saved(lines)

    async def _set_aside(self, lines: list[LogLine]) -> None:
        """Make room while the store is away; a flow must not wait for that."""
        if self._spool is None or not self._is_over_full:
            await anyio.sleep(_AWAY_FOR.total_seconds())
            return
        if not await self._spool.keep_lines(self._run.id, lines):
            self._unkept += len(lines)
        self.saved(lines)

    def _tell_unkept(self) -> None:
        if self._unkept:
            count, self._unkept = self._unkept, 0
            self.say(
                logging.WARNING, f"... {count:,} lines left out: the store was away, and the disk had no more room"
            )

    def saved(self, lines: list[LogLine]) -> None:
        """`lines`, the first of those that were unsaved, are in the store."""
        # Lines that came meanwhile stay; a line that is sent twice is kept once, by its number.
        del self._unsaved[: len(lines)]
        self._unsaved_characters -= sum(len(line.text) for line in lines)
        self._has_room.set()

    @property
    def _is_over_full(self) -> bool:
        return len(self._unsaved) >= _BATCH or self._unsaved_characters >= _MOST_UNSAVED_CHARACTERS

    @property
    def _limit_text(self) -> str:
        if self._count >= self._limits.lines:
            return f"more than {self._limits.lines:,} lines"
        return f"more than {size_text(self._limits.size)}"

    def _has_allowance(self, text: str) -> bool:
        return self._count < self._limits.lines and self._characters + len(text) < self._limits.size

    def _begin_to_leave_out(self) -> None:
        self._tail = Tail()
        self.say(logging.WARNING, f"... {self._limit_text}: from here on only the last {LINES} lines are kept")

    def _add(self, line: _Record | tuple[datetime, str]) -> None:
        self._count += 1
        seq, attempt = self._count, self._run.attempt
        if isinstance(line, tuple):
            added = LogLine(attempt=attempt, seq=seq, at=line[0], level=logging.INFO, text=line[1])
        else:
            added = LogLine(
                attempt=attempt,
                seq=seq,
                at=line.at,
                level=line.level,
                text=line.text,
                logger=line.logger,
                extra=line.extra,
            )
        self._unsaved.append(added)
        self._unsaved_characters += len(added.text)
        self._characters += len(added.text) + 1
        self._has_lines.set()
        self._terminal.line(self._name, added)


class ProcessLog:
    """Takes what one process writes. Close it when the process is gone."""

    def __init__(self, log: RunLog) -> None:
        self._log, self._splitter = log, LineSplitter()

    def printed(self, data: bytes) -> None:
        """Take bytes that it printed."""
        now = datetime.now(UTC)
        if self._log.is_leaving_out:
            self._log.leave_out(self._splitter.take_rest() + data, now)
        else:
            self._log.printed(self._splitter.feed(data), now)

    def recorded(self, message: Mapping[str, Any]) -> None:
        """Take a log record."""
        self._log.recorded(message)

    def close(self) -> None:
        """Take what it printed last without a line end."""
        self._log.printed(self._splitter.close(), datetime.now(UTC))
        self._log.close()


def _record(message: Mapping[str, Any], *, now: datetime) -> _Record:
    """A record of whatever stands in its place: a flow can write there as well."""
    extra = message.get("extra")
    return _Record(
        at=_instant(message.get("at"), now=now),
        level=_level(message.get("level")),
        logger=storable(str(message.get("logger")))[:_LONGEST_NAME],
        text=storable(str(message.get("text"))),
        extra=extra if isinstance(extra, dict) else {},
    )


def _instant(told: object, *, now: datetime) -> datetime:
    try:
        return datetime.fromtimestamp(float(told), UTC)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def _level(told: object) -> int:
    return max(0, min(told, _HIGHEST_LEVEL)) if isinstance(told, int) else logging.INFO
