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
from flowsource.server.open_streams import Streams, counted, streams_of
from flowsource.store.protocol import Store
from flowsource.tokens import Token

LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=50, description="What came last, to go on.")]
# For no longer is nothing sent: whoever listens finds out when nobody is there any more. So is a revoked token.
ALIVE_EVERY = timedelta(seconds=3)
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
    events = _events(store, streams_of(request), still_in(request), topic, look, last)
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(counted(request, token, events), media_type="text/event-stream", headers=headers)


async def _events(
    store: Store,
    open_ones: Streams,
    is_still_in: Callable[[], Awaitable[object]],
    topic: str,
    look: Look,
    last: str | None,
) -> AsyncIterator[str]:
    try:
        async with store.changes(topic) as ear:
            silent_since = anyio.current_time()
            while not open_ones.is_closed:
                seen = await look(last)
                last = seen.last
                for place, name, value in seen.events:
                    yield f"id: {place}\nevent: {name}\ndata: {json.dumps(value)}\n\n"
                    silent_since = anyio.current_time()
                if seen.is_over:
                    yield "event: end\ndata: {}\n\n"
                    return
                if not seen.is_all:
                    continue
                left = timedelta(seconds=silent_since - anyio.current_time()) + ALIVE_EVERY
                with open_ones.waiting():
                    await ear.wait(max(left, timedelta(0)))
                await is_still_in()
                # However much happens that is not told here.
                if anyio.current_time() - silent_since >= ALIVE_EVERY.total_seconds():
                    # Whoever is cut off now goes on behind what was looked at, though nothing of it was for him.
                    place = f"id: {last}\n" if last is not None else ""
                    yield f"{place}event: alive\ndata: {{}}\n\n"
                    silent_since = anyio.current_time()
    except FlowsourceError as error:
        # Whoever is cut off comes again, and hears why as the answer to that.
        yield f": {type(error).__name__}\n\n"
        await anyio.lowlevel.checkpoint()
