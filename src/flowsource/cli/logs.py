"""`flowsource logs`: what a run wrote."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.following import LineShower, follow_run, read_log, read_tail, say_state
from flowsource.cli.json_shapes import line_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json_line, say
from flowsource.errors import InvalidInput
from flowsource.retention import limits, may_go
from flowsource.runs import Run
from flowsource.settings import Settings
from flowsource.store.protocol import Store
from flowsource.store.values import ALL_LINES, BEFORE_ALL, LineFilter, LogLine


def logs(
    run: str,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"])] = False,
    level: str | None = None,
    attempt: int | None = None,
    tail: int | None = None,
    grep: str | None = None,
    json: bool = False,
) -> int:
    """What a run wrote and logged.

    Parameters
    ----------
    run
        Its id, a beginning of the id that no other run has, or its name (the newest of that name).
    follow
        Print lines as they come, through all attempts, until the run ends.
    level
        Only lines of this level or above: debug, info, warning, error, critical, or a number. What was printed, and
        not logged, is info.
    attempt
        Only lines of this attempt, counted from 1.
    tail
        Of what is there already only the last so many lines.
    grep
        Only lines with this text in theirs, in capitals or not (of the letters a to z); no sign in it means another.
    json
        Print each line as a JSON object of its own.
    """
    if attempt is not None and attempt < 1:
        raise InvalidInput(f"--attempt: {attempt} is none; the first is 1.")
    if tail is not None and tail < 0:
        raise InvalidInput(f"--tail: {tail} is not a number of lines; give 0 or more.")
    wanted = LineFilter(level=_level(level), attempt=attempt, text=grep or "")

    async def read(store: Store) -> int:
        found = await store.run(run)
        told, has_shown = LineShower(sys.stdout, is_retried=found.attempt > 1), False

        def show(line: LogLine) -> None:
            nonlocal has_shown
            has_shown = True
            if json:
                print_json_line(line_json(line))
            else:
                told(line)

        if tail is None:
            last = await read_log(store, found, show, wanted=wanted)
        else:
            last = await read_tail(store, found, show, wanted=wanted, count=tail)
        if follow:
            await follow_run(store, found, on_line=show, on_state=say_state, wanted=wanted, after=last)
        elif wanted == ALL_LINES and last == BEFORE_ALL:
            say(_why_empty(found))
        elif wanted != ALL_LINES and not has_shown:
            say(f"{found.name} has no such line.")
        return exits.OK

    return with_store(read)


def _why_empty(run: Run) -> str:
    if not run.state.is_final:
        return f"{run.name} has written nothing yet; -f waits for it."
    allowed = limits(Settings.load().keeping, now=datetime.now(UTC))
    if may_go(run, allowed.logs, is_newest=False):
        return f"{run.name} has written nothing, or its log was not kept for so long (FLOWSOURCE_KEEP_LOGS)."
    return f"{run.name} has written nothing."


def _level(given: str | None) -> int:
    if given is None:
        return 0
    if given.isascii() and given.isdecimal():
        return int(given)
    level = logging.getLevelNamesMapping().get(given.upper())
    if level is None:
        raise InvalidInput(f"--level: {given!r} is no level; give debug, info, warning, error, critical or a number.")
    return level
