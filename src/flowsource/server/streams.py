"""Streams of server-sent events: what comes of a run, as it comes, and again from where somebody was cut off."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response, StreamingResponse

from flowsource.cli.json_shapes import line_json, step_json
from flowsource.errors import FlowsourceError, InvalidInput, NotAllowed
from flowsource.server.access import Shown, TheStore, still_in
from flowsource.server.api.places import line_place, place_text
from flowsource.store.protocol import Store
from flowsource.store.values import about
from flowsource.tokens import Token

router = APIRouter(prefix="/streams", tags=["streams"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=50, description="What came last, to go on.")]
# Between two of these nothing may have come; and a token that was revoked is found out.
ALIVE_EVERY = timedelta(seconds=15)
MOST_OF_ALL, MOST_OF_ONE = 500, 50
_AT_ONCE = 500
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "The stream."}}

# What comes after an id, each with its own; and whether nothing more will come.
_Look = Callable[[str | None], Awaitable[tuple[list[tuple[str, str, Any]], bool]]]


class Streams:
    """How many streams there are, in all and of each token."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_of(self, token: Token) -> Any:
        """Count one while the context is open; raises NotAllowed where there are too many."""
        if self._open.total() >= MOST_OF_ALL or self._open[token.name] >= MOST_OF_ONE:
            raise NotAllowed("there are too many streams. Close some that nobody looks at.")
        self._open[token.name] += 1
        try:
            yield
        finally:
            self._open[token.name] -= 1


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
    request: Request, store: TheStore, token: Viewer, run_id: UUID, last_event_id: LastId = None
) -> Response:
    """What a run writes, until it has ended."""
    await store.run(str(run_id))
    line_place(last_event_id)

    async def look(last: str | None) -> tuple[list[tuple[str, str, Any]], bool]:
        # Before the lines: the last of them are written with the end.
        is_final = (await store.run(str(run_id))).state.is_final
        lines = await store.lines(run_id, after=line_place(last), limit=_AT_ONCE)
        told = [(place_text(line.place), "line", line_json(line)) for line in lines]
        return told, is_final and len(lines) < _AT_ONCE

    return _stream(request, store, token, run_id, look, last_event_id)


def _stream(request: Request, store: Store, token: Token, run_id: UUID, look: _Look, last: str | None) -> Response:
    streams: Streams = request.app.state.streams
    counted = streams.one_of(token)
    counted.__enter__()
    events = _events(store, still_in(request), run_id, look, last)

    async def bounded() -> AsyncIterator[str]:
        try:
            async for event in events:
                yield event
        finally:
            counted.__exit__(None, None, None)

    return StreamingResponse(bounded(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _events(
    store: Store, is_still_in: Callable[[], Awaitable[object]], run_id: UUID, look: _Look, last: str | None
) -> AsyncIterator[str]:
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
                await is_still_in()
    except FlowsourceError as error:
        # Whoever is cut off comes again, and hears why as the answer to that.
        yield f": {type(error).__name__}\n\n"
        await anyio.lowlevel.checkpoint()
