"""Streams of what comes of a run, as it comes, and again from where somebody was cut off."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from starlette.responses import Response, StreamingResponse

from flowsource.cli.json_shapes import line_json, step_json
from flowsource.errors import InvalidInput
from flowsource.server.access import Shown, TheStore
from flowsource.server.api.logs import Wanted
from flowsource.server.api.places import line_place, place_text
from flowsource.server.api.routing import api_router
from flowsource.server.streaming import STREAM, LastId, Seen, stream
from flowsource.store.values import about
from flowsource.tokens import Token

router = api_router("/streams", tags=["streams"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
_AT_ONCE = 500


@router.get("/runs/{run_id}", responses=STREAM, response_class=StreamingResponse)
async def stream_run(
    request: Request, store: TheStore, token: Viewer, run_id: UUID, last_event_id: LastId = None
) -> Response:
    """The steps in the life of a run, until it has ended."""
    await store.run(str(run_id))
    if last_event_id is not None and not last_event_id.isdecimal():
        raise InvalidInput("Last-Event-ID: it is none of this stream. Give it as it came, or leave it out.")

    async def look(last: str | None) -> Seen:
        # Before the steps: the last of them is written with the end.
        is_final = (await store.run(str(run_id))).state.is_final
        steps = [step for step in await store.transitions(run_id) if last is None or step.seq > int(last)]
        told = [(str(step.seq), "step", step_json(step)) for step in steps]
        return Seen(told, told[-1][0] if told else last, is_all=True, is_over=is_final)

    return stream(request, store, token, about(run_id), look, last_event_id)


@router.get("/runs/{run_id}/logs", responses=STREAM, response_class=StreamingResponse)
async def stream_lines(
    request: Request, store: TheStore, token: Viewer, run_id: UUID, wanted: Wanted, last_event_id: LastId = None
) -> Response:
    """What a run writes, until it has ended."""
    await store.run(str(run_id))
    line_place(last_event_id)

    async def look(last: str | None) -> Seen:
        # Before the lines: the last of them are written with the end.
        is_final = (await store.run(str(run_id))).state.is_final
        page = await store.find_lines(run_id, wanted, begin=line_place(last), limit=_AT_ONCE)
        told = [(place_text(line.place), "line", line_json(line)) for line in page.lines]
        # Where nothing was found it goes on behind what was looked at.
        return Seen(told, place_text(page.upto), is_all=page.is_last, is_over=is_final and page.is_last)

    return stream(request, store, token, about(run_id), look, last_event_id)
