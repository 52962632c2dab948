"""Following a run: its states and the lines of its log, as they come."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TextIO

from flowsource.cli.output import say, state_cell
from flowsource.cli.times import clock, duration
from flowsource.runner.requests import LOOK_EVERY
from flowsource.runs import Run, RunState
from flowsource.store.protocol import BEFORE_ALL, LinePlace, LogLine, Store, about
from flowsource.text import painted, printable

_LEVEL_COLOURS = ((logging.ERROR, "31"), (logging.WARNING, "33"), (logging.INFO, "2"))


async def follow_run(
    store: Store, run: Run, *, on_line: Callable[[LogLine], None], on_state: Callable[[Run], None]
) -> Run:
    """The run once it is final; each state it was seen in (of each attempt) and each line of its log were handed over
    before, in order.

    Woken by whoever writes.
    """
    seen, told = BEFORE_ALL, None
    async with store.changes(about(run.id)) as ear:
        while True:
            # The state before the lines: those of a run that is final are all there.
            run = await store.run(str(run.id))
            if (run.state, run.attempt) != told and not run.state.is_final:
                on_state(run)
            told = run.state, run.attempt
            seen = await read_log(store, run, on_line, after=seen)
            if run.state.is_final:
                on_state(run)
                return run
            await ear.wait(LOOK_EVERY)


async def read_log(
    store: Store, run: Run, on_line: Callable[[LogLine], None], *, after: LinePlace = BEFORE_ALL
) -> LinePlace:
    """Hand over the lines that come `after` that place; returns the place of the last."""
    while lines := await store.lines(run.id, after=after):
        for line in lines:
            on_line(line)
        after = lines[-1].place
    return after


def show_line(line: LogLine, stream: TextIO | None = None) -> None:
    """A line of a log with its time of day, and its level if a logger wrote it, on standard output, at once."""
    out = stream or sys.stdout
    level = ""
    if line.logger is not None:
        colour = next((colour for least, colour in _LEVEL_COLOURS if line.level >= least), "2")
        level = painted(f"{logging.getLevelName(line.level):<8}", colour, out)
    text = printable(line.text).replace("\n", "\n" + " " * 10)
    print(f"{painted(clock(line.at), '2', out)}  {level}{text}", file=out, flush=True)


def say_state(run: Run) -> None:
    """A state that a run has come to, on standard error."""
    cell = state_cell(run.state)
    sign = painted(cell.text, cell.colour or "0", sys.stderr)
    print(f"{clock(run.changed_at)}  {sign}{printable(_more_about(run))}", file=sys.stderr, flush=True)
    if run.failure is not None and run.failure.traceback:
        say(f"See it whole:\n  flowsource runs show {run.name}")


def _more_about(run: Run) -> str:
    why = f": {run.failure.kind}: {run.failure.message}" if run.failure else ""
    if run.state is RunState.RETRYING:
        again = duration(max(run.due_at - run.changed_at, timedelta()))
        return f" after attempt {run.attempt}, again in {again}{why}"
    if not run.state.is_final:
        which = f", attempt {run.attempt}" if run.attempt > 1 else ""
        return f" at {run.revision.short}{which}" if run.revision else ""
    took = ""
    if run.started_at and run.ended_at:
        took = f" after {duration(max(run.ended_at - run.started_at, timedelta()))}"
    return f"{took}{why}"
