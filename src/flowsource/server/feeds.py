"""Streams of all that happens: each event as it comes, and each run that changes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response, StreamingResponse

from flowsource.cli.json_shapes import event_json, run_json
from flowsource.errors import InvalidInput, RunNotFound
from flowsource.event_names import RUNS
from flowsource.events import Event
from flowsource.queries.runs import matches, parse_runs
from flowsource.queries.terms import Query
from flowsource.server.access import Shown, TheStore
from flowsource.server.api.asking import QueryText
from flowsource.server.api.events import Names, names_of
from flowsource.server.api.routing import api_router
from flowsource.server.streaming import STREAM, LastId, Seen, stream
from flowsource.store.protocol import Store
from flowsource.store.values import EVENTS
from flowsource.tokens import Token

router = api_router("/streams", tags=["streams"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
_AT_ONCE = 100
_NUMBER = re.compile(r"[0-9]{1,18}")

# What is to be sent of some events.
_Tell = Callable[[Sequence[Event]], Awaitable[list[tuple[str, str, Any]]]]


@router.get("/events", responses=STREAM, response_class=StreamingResponse)
async def stream_events(
    request: Request, store: TheStore, token: Viewer, names: Names = None, last_event_id: LastId = None
) -> Response:
    """What happens from now on: `begin` with the place from which that is, then each `event`. Resumed at a place that
    is not kept any more it says `gap` first: some may be missing."""

    async def tell(events: Sequence[Event]) -> list[tuple[str, str, Any]]:
        return [(str(event.seq), "event", event_json(event)) for event in events]

    return _feed(request, store, token, names_of(names), tell, last_event_id)


@router.get("/runs", responses=STREAM, response_class=StreamingResponse)
async def stream_runs(
    request: Request, store: TheStore, token: Viewer, query: QueryText = "", last_event_id: LastId = None
) -> Response:
    """Each run of a query that changes from now on, as a `run` with all that is known of it; `left` is the id of one
    that was of it in another state. `begin` and `gap` are as in the stream of events."""
    wanted = parse_runs(query, now=store.now())
    in_any_state = Query(tuple(term for term in wanted.terms if term.key != "state"))

    async def tell(events: Sequence[Event]) -> list[tuple[str, str, Any]]:
        # Of several changes at once the last one counts: what is told is how the run is by now.
        last = {event.run_id: event.seq for event in events if event.run_id is not None}
        told: list[tuple[str, str, Any]] = []
        for run_id, seq in sorted(last.items(), key=lambda one: one[1]):
            try:
                run = await store.run(str(run_id))
            except RunNotFound:
                continue
            if matches(wanted, run):
                told.append((str(seq), "run", run_json(run)))
            elif matches(in_any_state, run):
                told.append((str(seq), "left", {"id": str(run.id)}))
        return told

    return _feed(request, store, token, [f"{RUNS}*"], tell, last_event_id)


def _feed(
    request: Request, store: Store, token: Token, names: list[str], tell: _Tell, last_event_id: str | None
) -> Response:
    if last_event_id is not None and not _NUMBER.fullmatch(last_event_id):
        raise InvalidInput("Last-Event-ID: it is none of this stream. Give it as it came, or leave it out.")
    is_begun = False

    async def look(last: str | None) -> Seen:
        nonlocal is_begun
        if not is_begun:
            is_begun = True
            place, name = await _beginning(store, last)
            return Seen([(place, name, {})] if name else [], place, is_all=False)
        page = await store.events(after=int(last or 0), names=names, limit=_AT_ONCE)
        return Seen(await tell(page.events), str(page.upto), is_all=page.is_last)

    return stream(request, store, token, EVENTS, look, last_event_id)


async def _beginning(store: Store, last: str | None) -> tuple[str, str | None]:
    """The place to begin at, and what is to be said of it, if anything."""
    newest = await store.newest_events(limit=1)
    now = newest[0].seq if newest else 0
    if last is None:
        return str(now), "begin"
    if int(last) > now or (int(last) > 0 and await store.event(int(last)) is None):
        return str(min(int(last), now)), "gap"
    return last, None
