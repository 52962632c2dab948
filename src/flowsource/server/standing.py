"""How things stand: what is waiting, what lags behind, and which sources cannot be followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowsource.errors import InvalidSchedule
from flowsource.runs import RunState
from flowsource.source_status import SourceState
from flowsource.store.protocol import Store
from flowsource.store.values import ScheduleState

_NOT_FINAL = [state for state in RunState if not state.is_final]
_GOOD = (SourceState.OK, SourceState.NEW, SourceState.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`oldest_due` is how long the run waits that has been due longest, `lag` how far behind the schedules are.

    `bad_sources` are the labels of sources that are served and cannot be followed.
    """

    runs: Mapping[str, int]
    oldest_due: timedelta
    lag: timedelta
    sources: Mapping[str, int]
    bad_sources: tuple[str, ...]
    runners: int
    deployments: int


async def standing_of(store: Store, *, now: datetime) -> Standing:
    """How things stand at `now`."""
    backlog = {one.state: one for one in await store.backlog()}
    deployments = await store.deployments()
    states = await store.schedules([deployment.id for deployment in deployments])
    sources = [source for source in await store.sources(now=now) if source.is_served]
    return Standing(
        runs={state.value: backlog[state].count if state in backlog else 0 for state in _NOT_FINAL},
        oldest_due=max((now - one.due_at for one in backlog.values() if one.state.is_waiting), default=timedelta(0)),
        lag=max((lag_of(state, now=now) for state in states), default=timedelta(0)),
        sources=Counter(source.report.status.state.value for source in sources),
        bad_sources=tuple(s.report.status.label for s in sources if s.report.status.state not in _GOOD),
        runners=len(await store.runners()),
        deployments=len(deployments),
    )


def lag_of(state: ScheduleState, *, now: datetime) -> timedelta:
    """How long ago the first instant was of which no run was created yet."""
    if state.is_held:
        return timedelta(0)
    try:
        at = state.schedule.next_after(state.cursor)
    except InvalidSchedule:
        return timedelta(0)  # It fires nothing here, and so nothing lags behind.
    return timedelta(0) if at is None else max(now - at, timedelta(0))
