"""Schedules over the API: when deployments run, and what people do about that."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query
from starlette.responses import Response

from flowsource.cli.json_shapes import coming_json, instant_json, schedule_json
from flowsource.deployments import Deployment
from flowsource.errors import InvalidSchedule
from flowsource.promotions import Author
from flowsource.runner.requests import check_parameters
from flowsource.schedules import Cron, Interval, RRule, Schedule, upcoming
from flowsource.schedules.forecasting import coming
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import inputs, models
from flowsource.server.api.answers import Cursor, Limit, answer, behind, page, told
from flowsource.server.api.deployments import Flow, Name
from flowsource.server.api.routing import api_router
from flowsource.store.protocol import Store
from flowsource.store.values import ScheduleState
from flowsource.tokens import Token

router = api_router(tags=["schedules"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Operator = Annotated[Token, Depends(Shown("operator"))]
Key = Annotated[str, Path(max_length=200, description="The `key` of the schedule.")]
HowMany = Annotated[int, Query(alias="next", ge=0, le=100, description="How many instants of each.")]
_ONE = told(models.Schedule)


@router.get("/schedules", responses=told(models.Page[models.Schedule]))
async def list_schedules(
    store: TheStore,
    _: Viewer,
    deployment: Annotated[str | None, Query(max_length=600, description="As flow/deployment.")] = None,
    how_many: HowMany = 1,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The schedules of deployments, with the instants at which they fire next."""
    known = [await store.deployment(deployment)] if deployment is not None else await store.deployments()
    by_id = {one.id: one for one in known}
    states = sorted(await store.schedules(list(by_id)), key=lambda one: _place(by_id, one))
    now = store.now()
    return page(
        behind(states, cursor, lambda one: _place(by_id, one)),
        limit,
        lambda state: _shape(state, by_id[state.deployment_id], now, how_many),
        lambda one: _place(by_id, one),
    )


@router.get("/schedules/preview", responses=told(models.Preview))
async def preview_schedule(store: TheStore, _: Viewer, asked: Annotated[inputs.Tried, Query()]) -> Response:
    """When a schedule would fire that nobody has added."""
    now = store.now()
    schedule = _schedule(asked)
    if isinstance(schedule, Interval):
        schedule = schedule.anchored(now)
    found = coming(schedule, now=now, count=asked.next)
    return answer({"said": schedule.describe(), "next": list(map(coming_json, found))})


@router.post("/deployments/{flow}/{name}/schedules", status_code=201, responses=told(models.Schedule, 201))
async def add_schedule(store: TheStore, who: Operator, flow: Flow, name: Name, asked: inputs.ScheduleAsked) -> Response:
    """Add a schedule to a deployment. It stays until somebody removes it, whatever its code says."""
    of = await store.deployment(f"{flow}/{name}")
    schedule = _schedule(
        asked,
        slug=asked.slug,
        active=asked.active,
        jitter=asked.jitter,
        catchup=asked.catchup,
        max_lateness=asked.max_lateness,
        parameters=check_parameters(of, asked.parameters) if asked.parameters else {},
    )
    now = store.now()
    added = await store.add_schedule(of.id, schedule, Author(who.name, asked.reason), now=now)
    return answer(_shape(added, of, now, 1), 201)


@router.post("/deployments/{flow}/{name}/schedules/{key}/pause", responses=_ONE)
async def pause_schedule(store: TheStore, who: Operator, flow: Flow, name: Name, key: Key, why: inputs.Why) -> Response:
    """Hold one schedule of a deployment; its others go on."""
    return await _set_active(store, who, f"{flow}/{name}", key, False, why)


@router.post("/deployments/{flow}/{name}/schedules/{key}/resume", responses=_ONE)
async def resume_schedule(
    store: TheStore, who: Operator, flow: Flow, name: Name, key: Key, why: inputs.Why
) -> Response:
    """Let a schedule go on, from now."""
    return await _set_active(store, who, f"{flow}/{name}", key, True, why)


@router.delete("/deployments/{flow}/{name}/schedules/{key}", responses=_ONE)
async def remove_schedule(
    store: TheStore,
    who: Operator,
    flow: Flow,
    name: Name,
    key: Key,
    reason: Annotated[str | None, Query(max_length=inputs.LONGEST_REASON)] = None,
) -> Response:
    """Take a schedule away. One of the code stays away until the code says something else of it."""
    of, now = await store.deployment(f"{flow}/{name}"), store.now()
    removed = await store.remove_schedule(of.id, key, Author(who.name, reason), now=now)
    return answer(_shape(removed, of, now, 0))


async def _set_active(store: Store, who: Token, deployment: str, key: str, active: bool, why: inputs.Why) -> Response:
    of, now = await store.deployment(deployment), store.now()
    author = Author(who.name, why.reason)
    return answer(_shape(await store.set_schedule_active(of.id, key, active, author, now=now), of, now, 1))


def _schedule(asked: inputs.When, **options: Any) -> Schedule:
    """The schedule that was asked for; raises InvalidSchedule."""
    if sum(one is not None for one in (asked.cron, asked.interval, asked.rrule)) != 1:
        raise InvalidSchedule("cron, interval, rrule: give one of them.")
    if asked.anchor is not None and asked.interval is None:
        raise InvalidSchedule("anchor: only an interval is counted from one; give it with `interval`.")
    if asked.cron is not None:
        return Cron(asked.cron, asked.timezone, asked.day_or, **options)
    if asked.rrule is not None:
        return RRule(asked.rrule, asked.timezone, **options)
    assert asked.interval is not None, "one of the three was given"
    return Interval(asked.interval, asked.anchor, asked.timezone, **options)


def _place(known: Mapping[UUID, Deployment], state: ScheduleState) -> str:
    return f"{known[state.deployment_id].full_name} {state.key}"


def _shape(state: ScheduleState, of: Deployment, now: datetime, count: int) -> dict[str, Any]:
    # The next one is told in any case.
    instants = _next(state, now, max(count, 1))
    shown = schedule_json(state, of, instants[0] if instants else None)
    return {**shown, "next": list(map(instant_json, instants[:count]))}


def _next(state: ScheduleState, now: datetime, count: int) -> list[datetime]:
    if not state.is_held:
        # Not, such as one in a zone that is not known here.
        with suppress(InvalidSchedule):
            return upcoming(state.schedule, now=now, count=count)
    return []
