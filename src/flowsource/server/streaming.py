"""Server-sent events: sent as they come, as long as the token counts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import anyio
from fastapi import Header, Request
from starlette.responses import Response, StreamingResponse

from flowsource.errors import FlowsourceError
from flowsource.server.access import still_in
from flowsource.server.open_streams import counted
from flowsource.store.protocol import Store
from flowsource.tokens import Token

LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=50, description="What came last, to go on.")]
# Between two of these nothing may have come; and a token that was revoked is found out.
ALIVE_EVERY = timedelta(seconds=15)
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "The stream."}}


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to send: events, each with its id and its name, the id of the last thing that was looked at, and
    whether that was all by now, or for ever."""

    events: list[tuple[str, str, Any]]
    last: str | None
    is_all: bool
    is_over: bool = False


# What comes after an id.
Look = Callable[[str | None], Awaitable[Seen]]


def stream(request: Request, store: Store, token: Token, topic: str, look: Look, last: str | None) -> Response:
    """The answer that sends what `look` sees, again after each change of `topic`, from behind the id `last` on."""
    events = _events(store, still_in(request), topic, look, last)
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(counted(request, token, events), media_type="text/event-stream", headers=headers)


async def _events(
    store: Store, is_still_in: Callable[[], Awaitable[object]], topic: str, look: Look, last: str | None
) -> AsyncIterator[str]:
    try:
        async with store.changes(topic) as ear:
            while True:
                seen = await look(last)
                last = seen.last
                for place, name, value in seen.events:
                    yield f"id: {place}\nevent: {name}\ndata: {json.dumps(value)}\n\n"
                if seen.is_over:
                    yield "event: end\ndata: {}\n\n"
                    return
                if not seen.is_all:
                    continue
                if not await ear.wait(ALIVE_EVERY):
                    # Whoever is cut off now goes on behind what was looked at, though nothing of it was for him.
                    yield f"id: {last}\n: alive\n\n" if last is not None else ": alive\n\n"
                await is_still_in()
    except FlowsourceError as error:
        # Whoever is cut off comes again, and hears why as the answer to that.
        yield f": {type(error).__name__}\n\n"
        await anyio.lowlevel.checkpoint()
