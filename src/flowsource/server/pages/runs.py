"""What happened, and when? Runs by one query, over time and as a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from flowsource.cli.times import duration
from flowsource.errors import InvalidQuery
from flowsource.queries.runs import parse_runs
from flowsource.runs import Run
from flowsource.server.access import TheStore
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import deployment_path
from flowsource.server.pages.marks import run_mark
from flowsource.server.pages.showing import page
from flowsource.store.values import COUNTED

router = APIRouter(include_in_schema=False)

_AT_ONCE = 50
_USUAL = (
    ("All", ""),
    ("Going on", "state:claimed,running,retrying,lost"),
    ("Waiting", "state:scheduled"),
    ("Failed", "state:failed,crashed,timed_out"),
    ("Today", "after:1d"),
)
_WIDTH = 1000
_LANE = 12
_MOST_LANES = 6


@dataclass(frozen=True, slots=True)
class _Bar:
    id: UUID
    tone: str
    title: str
    x: float
    y: int
    width: float
    tall: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Runs as bars, `height` high in all; `begin` and `end` are the instants at its edges."""

    bars: Sequence[_Bar]
    height: int
    begin: datetime | None
    end: datetime | None


@router.get("/runs")
async def show_runs(
    request: Request, store: TheStore, token: Visitor, query: str = "", cursor: str | None = None
) -> Response:
    """Runs, the newest first."""
    now = store.now()
    try:
        wanted = parse_runs(query, now=now)
    except InvalidQuery as error:
        return _page(request, token, query=query, problems=[str(error)], status=422)
    found = await store.find_runs(wanted, cursor=cursor, limit=_AT_ONCE)
    count = await store.count_runs(wanted)
    return _page(
        request,
        token,
        query=query,
        runs=found.items,
        next=found.cursor,
        timeline=timeline(found.items, now=now),
        counted=f"{'more than ' if count >= COUNTED else ''}{count} {'run' if count == 1 else 'runs'}",
    )


def _page(
    request: Request,
    token: Visitor,
    *,
    query: str,
    runs: Sequence[Run] = (),
    next: str | None = None,  # noqa: A002 - as the template calls it
    timeline: Timeline = Timeline((), 0, None, None),
    counted: str = "",
    problems: Sequence[str] = (),
    status: int = 200,
) -> Response:
    return page(
        request,
        "runs.html",
        title="Runs",
        token=token,
        twin="/runs",
        status=status,
        query=query,
        runs=runs,
        next=next,
        timeline=timeline,
        counted=counted,
        problems=problems,
        usual=_USUAL,
        paths={run.deployment: deployment_path(run.deployment) for run in runs},
    )


def timeline(runs: Sequence[Run], *, now: datetime) -> Timeline:
    """Those of `runs` that began, each in the first lane that is free; what finds none is left to the list."""
    begun = sorted((run for run in runs if run.started_at is not None), key=lambda run: run.started_at or now)
    if not begun:
        return Timeline((), 0, None, None)
    begin = begun[0].started_at or now
    end = max((run.ended_at or now for run in begun), default=now)
    span = max((end - begin).total_seconds(), 0.001)
    free = [begin - timedelta(seconds=1)] * _MOST_LANES
    bars = []
    for run in begun:
        started_at, ended_at = run.started_at or begin, run.ended_at or now
        lane = next((number for number, until in enumerate(free) if until <= started_at), None)
        if lane is None:
            continue
        free[lane] = ended_at
        mark = run_mark(run.state)
        took = duration(max(ended_at - started_at, timedelta()))
        bars.append(
            _Bar(
                run.id,
                mark.tone,
                f"{run.name} of {run.deployment}: {mark.word}, {took}",
                round(_WIDTH * (started_at - begin).total_seconds() / span, 1),
                lane * _LANE,
                max(round(_WIDTH * (ended_at - started_at).total_seconds() / span, 1), 2.0),
                _LANE - 3,
            )
        )
    return Timeline(bars, _MOST_LANES * _LANE, begin, end)
