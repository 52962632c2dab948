"""How long the last runs took, as a plot of bars on a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from uuid import UUID

from flowsource.cli.times import duration
from flowsource.runs import RunState
from flowsource.server.pages.marks import run_mark
from flowsource.store.values import RunGlimpse

HEIGHT, _STEP, _BAR = 100, 10, 8
# So that a run of no length is seen too.
_LEAST = 1.5
# So that a few runs are bars, and no blocks.
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class _Bar:
    id: UUID
    tone: str
    title: str
    x: int
    y: float
    tall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Bars, the oldest run first and the newest to the right, in `width` by `HEIGHT`; `top` is the length at the upper
    edge.

    `median` is that of the runs that completed, with its place from above; "" where none did.
    """

    bars: Sequence[_Bar]
    width: int
    top: str
    median: str
    median_y: float
    begin: datetime
    end: datetime


def plot(runs: Sequence[RunGlimpse], *, now: datetime) -> Plot | None:
    """The plot of those of `runs` that began; None where none did."""
    begun = [(run, run.started_at) for run in runs if run.started_at is not None]
    if not begun:
        return None
    lengths = [max((run.ended_at or now) - at, timedelta()) for run, at in begun]
    longest = max(*lengths, timedelta(milliseconds=1))
    middle = [took for (run, _), took in zip(begun, lengths, strict=True) if run.state is RunState.COMPLETED]
    usual = median_low(middle) if middle else None
    places = max(len(begun), _FEWEST)

    def bar(place: int, run: RunGlimpse, took: timedelta) -> _Bar:
        mark, tall = run_mark(run.state), max(round(HEIGHT * (took / longest), 1), _LEAST)
        title = f"{run.name}: {mark.word}, {duration(took)}"
        return _Bar(run.id, mark.tone, title, (places - len(begun) + place) * _STEP, round(HEIGHT - tall, 1), tall)

    return Plot(
        bars=[bar(place, run, took) for place, ((run, _), took) in enumerate(zip(begun, lengths, strict=True))],
        width=places * _STEP,
        top=duration(longest),
        median=duration(usual) if usual is not None else "",
        median_y=round(HEIGHT * (1 - usual / longest), 1) if usual is not None else 0,
        begin=begun[0][1],
        end=begun[-1][1],
    )
