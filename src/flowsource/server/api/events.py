"""Events over the API: what happened, and what somebody tells."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.responses import Response

from flowsource.cli.json_shapes import event_json
from flowsource.errors import InvalidInput, NotFound
from flowsource.event_names import our_event
from flowsource.events import new_event
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import inputs, models
from flowsource.server.api.answers import Cursor, Limit, after, answer, page, told
from flowsource.server.api.routing import api_router
from flowsource.tokens import Token

router = api_router("/events", tags=["events"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Operator = Annotated[Token, Depends(Shown("operator"))]
_LARGEST_NUMBER = (1 << 63) - 1
_Name = Annotated[str, Query(max_length=201)]
Names = Annotated[
    list[_Name] | None,
    Query(max_length=50, description="Only those of these names, such as `flow-run.failed`, or `order.*` for all."),
]


@router.get("", responses=told(models.Page[models.Event]))
async def list_events(
    store: TheStore, _: Viewer, names: Names = None, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """What happened, the newest first."""
    events = await store.newest_events(names=names_of(names), before=_number(after(cursor)), limit=limit + 1)
    return page(events, limit, event_json, lambda event: str(event.seq))


@router.get("/{seq}", responses=told(models.Event))
async def show_event(store: TheStore, _: Viewer, seq: Annotated[int, Path(ge=1, le=_LARGEST_NUMBER)]) -> Response:
    """The event of that number."""
    if (event := await store.event(seq)) is None:
        raise NotFound(f"no event has the number {seq}, or it is not kept any more.")
    return answer(event_json(event))


@router.post("", status_code=201, responses=told(models.Told, 201))
async def emit_event(store: TheStore, _: Operator, asked: inputs.EventTold) -> Response:
    """Tell that something happened, for triggers and people to see. Told again with the same `id` it is the same."""
    told_event = new_event(
        asked.name,
        asked.payload,
        resource=asked.resource,
        related=asked.related,
        at=store.now(),
        event_id=asked.id,
    )
    await store.emit([told_event])
    return answer({"id": str(told_event.id)}, 201)


def names_of(asked: list[str] | None) -> list[str]:
    """The names by which events are kept here; raises InvalidInput."""
    return [our_event(name) for name in asked or ()]


def _number(text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidInput("cursor: it is not one of this list. Give `next` of an answer as it is.")
    return int(text) if text is not None else None
