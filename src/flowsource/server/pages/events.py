"""What happened, and to what? Events, the newest first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from flowsource.errors import InvalidInput
from flowsource.event_names import DEPLOYMENTS, NAME, ROLE, our_event
from flowsource.events import Event
from flowsource.server.access import TheStore
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import deployment_path
from flowsource.server.pages.showing import page

router = APIRouter(include_in_schema=False)

_AT_ONCE = 100
_SUMMARY = 80


@dataclass(frozen=True, slots=True)
class _Event:
    of: Event
    to: str
    path: str | None
    summary: str
    whole: Any


@router.get("/events")
async def show_events(
    request: Request,
    store: TheStore,
    token: Visitor,
    names: Annotated[str, Query(max_length=2000)] = "",
    before: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
) -> Response:
    """Events of these names, with spaces between them; all of them unless there are some."""
    found: list[Event] = []
    problem = None
    try:
        wanted = [our_event(name) for name in names.split()]
        found = await store.newest_events(names=wanted, before=before, limit=_AT_ONCE + 1)
    except InvalidInput as error:
        problem = str(error)
    shown = found[:_AT_ONCE]
    return page(
        request,
        "events.html",
        title="Events",
        token=token,
        twin="/events",
        status=422 if problem else 200,
        names=names,
        cursor=before,
        problem=problem,
        events=[_event(one) for one in shown],
        next=shown[-1].seq if len(found) > len(shown) else None,
    )


def _event(one: Event) -> _Event:
    said = json.dumps(dict(one.payload), ensure_ascii=False) if one.payload else "more"
    to, path = _subject(one)
    return _Event(one, to, path, said if len(said) <= _SUMMARY else f"{said[: _SUMMARY - 3]}...", one.to_json())


def _subject(one: Event) -> tuple[str, str | None]:
    """What it happened to, and the path of its page."""
    name = one.resource.get(NAME, "")
    if one.run_id is not None:
        return name, f"/runs/{one.run_id}"
    flow = next((labels[NAME] for labels in one.related if labels.get(ROLE) == "flow" and NAME in labels), None)
    if one.name.startswith(DEPLOYMENTS) and flow is not None:
        full_name = f"{flow}/{name}"
        return full_name, deployment_path(full_name) if one.name != f"{DEPLOYMENTS}deleted" else None
    return name, None
