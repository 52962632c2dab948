"""The last runs as a strip of bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flowsource.cli.times import duration
from flowsource.runs import RunState
from flowsource.store.values import RunGlimpse


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in it."""

    id: UUID
    name: str
    state: RunState
    seconds: float
    took: str


def strip(runs: Sequence[RunGlimpse], *, now: datetime) -> list[Bar]:
    """A bar for each of `runs`."""
    return [_bar(run, now) for run in runs]


def _bar(run: RunGlimpse, now: datetime) -> Bar:
    took = (run.ended_at or now) - run.started_at if run.started_at is not None else None
    seconds = max(took.total_seconds(), 0) if took is not None else 0
    return Bar(run.id, run.name, run.state, seconds, duration(took) if took is not None and seconds else "")
