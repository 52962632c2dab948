"""Queries for runs: the keys there are, and what each of them means."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from flowsource.queries.kinds import MOMENT, PATTERN, Clock, Keys, choice, digits, instant_of
from flowsource.queries.matching import Looks, fits, holds, is_within
from flowsource.queries.parsing import parse
from flowsource.queries.terms import WORDS, Pattern, Query
from flowsource.runs import Run, RunState

KEYS: Keys = {
    "state": choice(RunState, {"canceled": RunState.CANCELLED}),
    "deployment": PATTERN,
    "flow": PATTERN,
    "tag": PATTERN,
    "name": PATTERN,
    "after": MOMENT,
    "before": MOMENT,
    "revision": digits("a commit, or of another revision"),
    "schedule": PATTERN,
    "trigger": PATTERN,
    "id": digits("the id of a run"),
    "parent": digits("the id of the run that asked for it"),
    "runner": digits("the id of the server that executed it"),
}


def parse_runs(text: str, *, now: datetime, zone: tzinfo | None = UTC) -> Query:
    """The query for runs that `text` is, read at `now`; raises InvalidQuery with all that is wrong.

    Days, and times without an offset, are on the clock of `zone`; None is that of this machine.

    >>> noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    >>> str(parse_runs("state:timed-out -tag:etl after:1d", now=noon))
    'state:timed_out -tag:etl after:2026-01-01T12:00:00Z'
    """
    return parse(text, KEYS, Clock(now, zone))


def matches(query: Query, run: Run) -> bool:
    """Whether `run` is one that `query` asks for. Those inside others are asked for by their parent alone."""
    return (not run.is_nested or asks_by_parent(query)) and holds(query, run, _LOOKS)


def asks_by_parent(query: Query) -> bool:
    """Whether `query` asks for the runs that other runs asked for, or called."""
    return bool(query.asked("parent"))


def _has_revision(value: Pattern, run: Run) -> bool:
    # A directory in a work tree has a name of its own, and a commit that it was changed from.
    revision = run.revision
    return revision is not None and (revision.id.startswith(value[0]) or (revision.commit or "").startswith(value[0]))


_LOOKS: Looks[Run] = {
    WORDS: lambda value, run: is_within(value, run.name, run.deployment, run.flow),
    "state": lambda value, run: fits(value, run.state),
    "deployment": lambda value, run: fits(value, run.deployment) or fits(value, run.deployment.rpartition("/")[2]),
    "flow": lambda value, run: fits(value, run.flow),
    "tag": lambda value, run: any(fits(value, tag) for tag in run.tags),
    "name": lambda value, run: fits(value, run.name),
    "after": lambda value, run: run.created_at >= instant_of(value),
    "before": lambda value, run: run.created_at < instant_of(value),
    "revision": _has_revision,
    "schedule": lambda value, run: fits(value, run.schedule),
    "trigger": lambda value, run: fits(value, run.cause.trigger if run.cause is not None else None),
    "id": lambda value, run: run.id.hex.startswith(value[0]),
    "parent": lambda value, run: run.parent_id is not None and run.parent_id.hex.startswith(value[0]),
    "runner": lambda value, run: run.runner_id is not None and run.runner_id.hex.startswith(value[0]),
}
