"""For how long what has happened is kept, and what may go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flowsource.errors import InvalidSettings
from flowsource.queries.moments import length
from flowsource.runs import Run

FOREVER = "forever"
# What has just ended is still asked for: by whoever waits for it, by hooks, by a server that tells the same again.
_LEAST = timedelta(hours=1)
_MOST = timedelta(days=36_500)
_LENGTHS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(seconds=1), "s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """For how long runs and their logs are kept once the run has ended, and events that belong to no run; None is for
    ever."""

    runs: timedelta | None = timedelta(days=90)
    logs: timedelta | None = timedelta(days=30)
    events: timedelta | None = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The instants before which a run must have ended for it, or its log, to go, and an event have happened that
    belongs to no run; None where nothing goes.

    That of logs is never before that of runs: a log goes first.
    """

    runs: datetime | None
    logs: datetime | None
    events: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much has gone."""

    runs: int = 0
    lines: int = 0
    events: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(self.runs + other.runs, self.lines + other.lines, self.events + other.events)

    def __bool__(self) -> bool:
        return bool(self.runs or self.lines or self.events)

    def __str__(self) -> str:
        return f"{self.runs} runs, {self.lines} lines of logs and {self.events} events"


def kept_for(text: str) -> timedelta | None:
    """The length of time that `text` is (such as `90d`), or None for `forever`; raises InvalidSettings.

    >>> kept_for("2w"), kept_for("forever")
    (datetime.timedelta(days=14), None)
    """
    if text.lower() == FOREVER:
        return None
    try:
        kept = length(text.lower())
    except ValueError:
        kept = None
    if kept is None or not _LEAST <= kept <= _MOST:
        raise InvalidSettings(f"{text!r} is not how long something is kept. Give 1h or more, as in 90d, or {FOREVER}.")
    return kept


def told_length(kept: timedelta | None) -> str:
    """How long something is kept, as `kept_for` reads it.

    >>> told_length(timedelta(days=90)), told_length(timedelta(hours=36)), told_length(None)
    ('90d', '36h', 'forever')
    """
    if kept is None:
        return FOREVER
    length, unit = next((length, unit) for length, unit in _LENGTHS if not kept % length)
    return f"{kept // length}{unit}"


def limits(keeping: Keeping, *, now: datetime) -> Limits:
    """What may go at `now`."""
    runs = now - keeping.runs if keeping.runs is not None else None
    logs = now - keeping.logs if keeping.logs is not None else None
    events = now - keeping.events if keeping.events is not None else None
    return Limits(runs=runs, logs=max(filter(None, (runs, logs)), default=None), events=events)


def may_go(run: Run, before: datetime | None, *, is_newest: bool) -> bool:
    """Whether `run` may go, or its log: it ended `before` that, and is not the newest of its deployment.

    What goes on, or waits, never does. One inside another goes with that.
    """
    ended_at = run.ended_at if run.state.is_final and not run.is_nested else None
    return before is not None and ended_at is not None and ended_at < before and not is_newest
