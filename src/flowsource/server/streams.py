"""Streams of server-sent events: what comes of a run, as it comes, and again from where somebody was cut off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response, StreamingResponse

from flowsource.cli.json_shapes import line_json, step_json
from flowsource.errors import FlowsourceError, InvalidInput
from flowsource.server.access import Shown, TheStore
from flowsource.server.api.logs import Wanted
from flowsource.server.api.places import line_place, place_text
from flowsource.server.authentication import token_of_digest
from flowsource.server.open_streams import counted
from flowsource.store.protocol import Store
from flowsource.store.values import about
from flowsource.tokens import Token

router = APIRouter(prefix="/streams", tags=["streams"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=50, description="What came last, to go on.")]
# Between two of these nothing may have come; and a token that was revoked is found out.
ALIVE_EVERY = timedelta(seconds=15)
_AT_ONCE = 500
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "The stream."}}

# What comes after an id, each with its own; and whether nothing more will come.
_Look = Callable[[str | None], Awaitable[tuple[list[tuple[str, str, Any]], bool]]]


@router.get("/runs/{run_id}", responses=_STREAM, response_class=StreamingResponse)
async def stream_run(
    request: Request, store: TheStore, token: Viewer, run_id: UUID, last_event_id: LastId = None
) -> Response:
    """The steps in the life of a run, until it has ended."""
    await store.run(str(run_id))
    if last_event_id is not None and not last_event_id.isdecimal():
        raise InvalidInput("Last-Event-ID: it is none of this stream. Give it as it came, or leave it out.")

    async def look(last: str | None) -> tuple[list[tuple[str, str, Any]], bool]:
        steps = [step for step in await store.transitions(run_id) if last is None or step.seq > int(last)]
        is_final = (await store.run(str(run_id))).state.is_final
        return [(str(step.seq), "step", step_json(step)) for step in steps], is_final

    return _stream(request, store, token, run_id, look, last_event_id)


@router.get("/runs/{run_id}/logs", responses=_STREAM, response_class=StreamingResponse)
async def stream_lines(
    request: Request, store: TheStore, token: Viewer, run_id: UUID, wanted: Wanted, last_event_id: LastId = None
) -> Response:
    """What a run writes, until it has ended."""
    await store.run(str(run_id))
    line_place(last_event_id)

    async def look(last: str | None) -> tuple[list[tuple[str, str, Any]], bool]:
        # Before the lines: the last of them are written with the end.
        is_final = (await store.run(str(run_id))).state.is_final
        begin = line_place(last)
        while True:
            page = await store.find_lines(run_id, wanted, begin=begin, limit=_AT_ONCE)
            told = [(place_text(line.place), "line", line_json(line)) for line in page.lines]
            if told or page.is_last:
                return told, is_final and page.is_last
            begin = page.upto

    return _stream(request, store, token, run_id, look, last_event_id)


def _stream(request: Request, store: Store, token: Token, run_id: UUID, look: _Look, last: str | None) -> Response:
    events = _events(store, request.state.digest, run_id, look, last)
    return StreamingResponse(
        counted(request, token, events), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


async def _events(store: Store, digest: str, run_id: UUID, look: _Look, last: str | None) -> AsyncIterator[str]:
    try:
        async with store.changes(about(run_id)) as ear:
            while True:
                told, is_over = await look(last)
                for last, name, value in told:
                    yield f"id: {last}\nevent: {name}\ndata: {json.dumps(value)}\n\n"
                if is_over:
                    yield "event: end\ndata: {}\n\n"
                    return
                if told:
                    continue
                if not await ear.wait(ALIVE_EVERY):
                    yield ": alive\n\n"
                await token_of_digest(store, digest)
    except FlowsourceError as error:
        # Whoever is cut off comes again, and hears why as the answer to that.
        yield f": {type(error).__name__}\n\n"
        await anyio.lowlevel.checkpoint()
