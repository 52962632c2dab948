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
from flowsource.store.protocol import Store
from flowsource.store.values import AFTER_ALL, ALL_LINES, BEFORE_ALL, LineFilter, LinePlace, LogLine, about
from flowsource.text import painted, printable

_MOST_AT_ONCE = 1000
_LEVEL_COLOURS = ((logging.ERROR, "31"), (logging.WARNING, "33"), (logging.INFO, "2"))


async def follow_run(
    store: Store,
    run: Run,
    *,
    on_line: Callable[[LogLine], None],
    on_state: Callable[[Run], None],
    wanted: LineFilter = ALL_LINES,
    after: LinePlace = BEFORE_ALL,
) -> Run:
    """The run once it is final; each state it was seen in (of each attempt) and each wanted line of its log that comes
    `after` that place were handed over before, in order.

    Woken by whoever writes.
    """
    seen, told = after, None
    async with store.changes(about(run.id)) as ear:
        while True:
            # The state before the lines: those of a run that is final are all there.
            run = await store.run(str(run.id))
            if (run.state, run.attempt) != told and not run.state.is_final:
                on_state(run)
            told = run.state, run.attempt
            seen = await read_log(store, run, on_line, wanted=wanted, after=seen)
            if run.state.is_final:
                on_state(run)
                return run
            await ear.wait(LOOK_EVERY)


async def read_log(
    store: Store,
    run: Run,
    on_line: Callable[[LogLine], None],
    *,
    wanted: LineFilter = ALL_LINES,
    after: LinePlace = BEFORE_ALL,
) -> LinePlace:
    """Hand over the wanted lines that come `after` that place; returns the place up to which there is no other."""
    while True:
        page = await store.find_lines(run.id, wanted, begin=after)
        for line in page.lines:
            on_line(line)
        after = page.upto
        if page.is_last:
            return after


async def read_tail(
    store: Store, run: Run, on_line: Callable[[LogLine], None], *, wanted: LineFilter, count: int
) -> LinePlace:
    """Hand over the last `count` of the wanted lines that are there; returns the place of the last line of all."""
    newest = await store.find_lines(run.id, begin=AFTER_ALL, backwards=True, limit=1)
    if not newest.lines:
        return BEFORE_ALL
    last = newest.lines[-1].place
    place, found = (last[0], last[1] + 1), list[LogLine]()
    while len(found) < count:
        page = await store.find_lines(
            run.id, wanted, begin=place, backwards=True, limit=min(count - len(found), _MOST_AT_ONCE)
        )
        found = [*page.lines, *found]
        place = page.upto
        if page.is_last:
            break
    for line in found:
        on_line(line)
    return last


class LineShower:
    """Prints lines of a log, each with its time of day, and its level if a logger wrote it, at once.

    The lines of an attempt stand under a heading where there is more than one; `is_retried` says so before there is.
    """

    def __init__(self, stream: TextIO, *, is_retried: bool = False) -> None:
        self._out = stream
        self._attempt = 0 if is_retried else 1

    def __call__(self, line: LogLine) -> None:
        """Print `line`."""
        out = self._out
        if line.attempt != self._attempt:
            self._attempt = line.attempt
            print(painted(f"── attempt {line.attempt} ──", "2", out), file=out)
        level = ""
        if line.logger is not None:
            colour = next((colour for least, colour in _LEVEL_COLOURS if line.level >= least), "2")
            level = painted(f"{logging.getLevelName(line.level):<8}", colour, out)
        text = printable(line.text).replace("\n", "\n" + " " * 10)
        print(f"{painted(clock(line.at), '2', out)}  {level}{text}", file=out, flush=True)


def say_state(run: Run) -> None:
    """A state that a run has come to, on standard error."""
    print(f"{clock(run.changed_at)}  {state_text(run, sys.stderr)}", file=sys.stderr, flush=True)
    if run.state.is_final and run.failure is not None and run.failure.traceback:
        say(f"See it whole:\n  flowsource runs show {run.name}")


def state_text(run: Run, stream: TextIO) -> str:
    """The state of a run with what there is to say of it, as `stream` shows it."""
    cell = state_cell(run.state)
    return f"{painted(cell.text, cell.colour or '0', stream)}{printable(_more_about(run))}"


def _more_about(run: Run) -> str:
    why = f": {run.failure}" if run.failure else ""
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
