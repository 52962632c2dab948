"""What else there is to know over the API: schedules, runners, and who one is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from flowsource.cli.json_shapes import instant_json
from flowsource.errors import InvalidSchedule
from flowsource.schedules import upcoming
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import models
from flowsource.server.api.answers import Cursor, Limit, answer, behind, page, told
from flowsource.store.values import ScheduleState
from flowsource.tokens import Token

router = APIRouter()

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Anybody = Annotated[Token, Depends(Shown())]


@router.get("/me", tags=["tokens"], responses=told(models.Me))
async def show_me(request: Request, token: Anybody) -> Response:
    """What the token is that was shown."""
    csrf = getattr(request.state, "csrf", None)
    return answer({"name": token.name, "scopes": list(token.scopes), "csrf": csrf})


@router.get("/runners", tags=["runners"], responses=told(models.Page[models.Runner]))
async def list_runners(store: TheStore, _: Viewer, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The runners that are registered."""
    found = behind(sorted(await store.runners(), key=str), cursor, str)
    return page(found, limit, lambda one: {"id": str(one)}, str)


@router.get("/schedules", tags=["schedules"], responses=told(models.Page[models.Schedule]))
async def list_schedules(
    store: TheStore,
    _: Viewer,
    deployment: Annotated[str | None, Query(max_length=600, description="As flow/deployment.")] = None,
    upcoming_count: Annotated[int, Query(alias="next", ge=0, le=100, description="How many instants of each.")] = 1,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The schedules of deployments, with the instants at which they fire next."""
    known = [await store.deployment(deployment)] if deployment is not None else await store.deployments()
    names = {one.id: one.full_name for one in known}
    states = sorted(await store.schedules(list(names)), key=lambda one: _place(names, one))
    found = behind(states, cursor, lambda one: _place(names, one))
    now = store.now()

    def shape(state: ScheduleState) -> dict[str, Any]:
        return {
            "deployment": names[state.deployment_id],
            "key": state.key,
            "said": state.schedule.describe(),
            "schedule": state.schedule.to_json(),
            "is_held": state.is_held,
            "next": [instant_json(at) for at in _next(state, now, upcoming_count)],
        }

    return page(found, limit, shape, lambda one: _place(names, one))


def _place(names: Mapping[UUID, str], state: ScheduleState) -> str:
    return f"{names[state.deployment_id]} {state.key}"


def _next(state: ScheduleState, now: datetime, count: int) -> list[datetime]:
    try:
        return [] if state.is_held else upcoming(state.schedule, now=now, count=count)
    except InvalidSchedule:
        return []  # Such as one in a zone that is not known here.
