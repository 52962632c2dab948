"""How what a server says looks: aligned and in colour for people, or an object a line for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from flowsource.runner.output.notices import Notice
from flowsource.store.values import LogLine
from flowsource.text import one_line, printable

# Colours that are told apart on dark and on light, and none that says how a run is doing.
_RUN_COLOURS = ("36", "35", "34", "96", "95", "94", "38;5;172", "38;5;70", "38;5;133", "38;5;30")
_LEVEL_COLOURS = ((logging.ERROR, "31"), (logging.WARNING, "33"), (logging.INFO, "2"), (0, "2"))
_MOST_KNOWN = 1000
_NARROWEST, _WIDEST = 12, 24


class Shape(Protocol):
    """Makes text, of one line or more, of what is said."""

    def notice(self, notice: Notice) -> str:
        """Something happened."""

    def line(self, run: str, line: LogLine) -> str:
        """A line of a run's log."""


class ForPeople:
    """Time, run and text in columns. Each run has a colour of its own, where colours are shown."""

    def __init__(self, *, in_colour: bool) -> None:
        self._in_colour = in_colour
        self._run_colours: dict[str, str] = {}
        self._width = _NARROWEST
        self._count = 0

    def notice(self, notice: Notice) -> str:
        """`12:00:00  brave-otter   ✔ etl/nightly completed after 1.20 s`"""
        sign = f"{self.painted(notice.mark, notice.colour)} "
        if notice.run is None:
            # It may show commands to copy, so its other lines are left as they are.
            return f"{self._time(notice.at)}  {sign}{printable(notice.text)}"
        return self._in_columns(notice.at, notice.run, sign, notice.text)

    def line(self, run: str, line: LogLine) -> str:
        """`12:00:00  brave-otter   │ WARNING  what was logged`"""
        sign = f"{self.painted('│', self._colour_of(run))} "
        if line.logger is not None:
            colour = next(colour for least, colour in _LEVEL_COLOURS if line.level >= least)
            sign += f"{self.painted(f'{logging.getLevelName(line.level):<8}', colour)} "
        return self._in_columns(line.at, run, sign, line.text)

    def painted(self, text: str, colour: str) -> str:
        """`text` in that colour, where colours are shown."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self._in_colour else text

    def _in_columns(self, at: datetime, run: str, sign: str, text: str) -> str:
        colour = self._colour_of(run)
        name = one_line(run)
        self._width = max(self._width, min(len(name), _WIDEST))
        if len(name) > self._width:
            name = f"{name[: self._width - 1]}…"
        head = f"{self._time(at)}  {self.painted(f'{name:<{self._width}}', colour)}  {sign}"
        return "\n".join(f"{head}{line}" for line in printable(text).split("\n"))

    def _colour_of(self, run: str) -> str:
        """The next one in turn, so that runs that go on at once differ; kept for as long as the run may speak."""
        colour = self._run_colours.get(run)
        if colour is None:
            colour = self._run_colours[run] = _RUN_COLOURS[self._count % len(_RUN_COLOURS)]
            self._count += 1
            if len(self._run_colours) > _MOST_KNOWN:
                del self._run_colours[next(iter(self._run_colours))]
        return colour

    def _time(self, at: datetime) -> str:
        return self.painted(_clock(int(at.timestamp())), "2")


class ForMachines:
    """Each line an object: `time`, `level`, `event`, `message`, `run`, `deployment`, and what else there is to say."""

    def notice(self, notice: Notice) -> str:
        """An object for what happened."""
        return _object(
            notice.at,
            notice.level,
            notice.event,
            notice.text,
            run=notice.run,
            deployment=notice.deployment,
            fields=notice.fields,
        )

    def line(self, run: str, line: LogLine) -> str:
        """An object for a line of a log, with the event `run.output`."""
        fields = {"attempt": line.attempt, "seq": line.seq, "logger": line.logger, "extra": dict(line.extra)}
        return _object(line.at, line.level, "run.output", line.text, run=run, deployment=None, fields=fields)


def _object(
    at: datetime,
    level: int,
    event: str,
    message: str,
    *,
    run: str | None,
    deployment: str | None,
    fields: Mapping[str, Any],
) -> str:
    return json.dumps(
        {
            "time": at.astimezone(UTC).isoformat(),
            "level": logging.getLevelName(level),
            "event": event,
            "message": message,
            "run": run,
            "deployment": deployment,
            "fields": dict(fields),
        }
    )


@lru_cache(maxsize=8)
def _clock(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone().strftime("%H:%M:%S")
