"""Server-sent events: sent as they come, as long as the token counts, and by no more than so many streams at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import anyio
from fastapi import Header, Request
from starlette.responses import Response, StreamingResponse

from flowsource.errors import FlowsourceError, NotAllowed
from flowsource.server.access import still_in
from flowsource.store.protocol import Store
from flowsource.tokens import Token

LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=50, description="What came last, to go on.")]
# Between two of these nothing may have come; and a token that was revoked is found out.
ALIVE_EVERY = timedelta(seconds=15)
MOST_OF_ALL, MOST_OF_ONE = 500, 50
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


def stream(request: Request, store: Store, token: Token, topic: str, look: Look, last: str | None) -> Response:
    """The answer that sends what `look` sees, again after each change of `topic`, from behind the id `last` on."""
    streams: Streams = request.app.state.streams
    counted = streams.one_of(token)
    counted.__enter__()
    events = _events(store, still_in(request), topic, look, last)

    async def bounded() -> AsyncIterator[str]:
        try:
            async for event in events:
                yield event
        finally:
            counted.__exit__(None, None, None)

    return StreamingResponse(bounded(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


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
