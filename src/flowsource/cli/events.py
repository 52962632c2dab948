"""`flowsource events`: what happened, and telling that something did."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.given import check_limit, object_from
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import event_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, aligned, print_json, print_json_line, print_table, say
from flowsource.cli.times import clock, relative
from flowsource.event_names import ID, NAME, RUNS, our_event
from flowsource.events import Event, new_event
from flowsource.runner.requests import LOOK_EVERY
from flowsource.store.protocol import Store
from flowsource.store.values import EVENTS

events = group("events", "What happened: to runs, deployments, sources and servers, and what was told.")

# What an event carries, as far as it fits in a line that people read.
_LONGEST_PAYLOAD = 200


@events.command
def ls(
    *,
    name: str | None = None,
    limit: int = 20,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"])] = False,
    json: bool = False,
) -> int:
    """The newest events first; or with --follow the last ones, and then each as it comes.

    Parameters
    ----------
    name
        Only those of this name, or of all names that begin so, with * at the end: 'order.*', 'flow-run.failed'.
    limit
        How many at most, of those that are there already (20).
    follow
        Go on with each event as it comes, until interrupted.
    json
        Print a list of events as JSON; with --follow, each as a JSON object of its own.
    """
    check_limit(limit)
    names = [our_event(name)] if name is not None else []
    if follow:
        with_store(lambda store: _follow(store, names, limit=limit, json=json))

    async def find(store: Store) -> list[Event]:
        return await store.newest_events(names=names, limit=limit)

    found = with_store(find)
    if json:
        print_json([event_json(event) for event in found])
    elif found:
        now = datetime.now(UTC)
        rows = [[Cell(relative(event.at, now=now)), *_cells(event)] for event in found]
        print_table(("WHEN", "EVENT", "OF", "ABOUT IT"), rows)
    else:
        say("No such events yet." if names else "No events yet.")
    return exits.OK


@events.command
def tail(*, name: str | None = None, limit: int = 20, json: bool = False) -> int:
    """The last events, and then each as it comes, until interrupted; as `events ls --follow`.

    Parameters
    ----------
    name
        Only those of this name, or of all names that begin so, with * at the end: 'order.*', 'flow-run.failed'.
    limit
        How many at most, of those that are there already (20).
    json
        Print each as a JSON object of its own.
    """
    return ls(name=name, limit=limit, follow=True, json=json)


@events.command
def emit(
    name: str,
    /,
    *,
    payload: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    json: bool = False,
) -> int:
    """Tell that something happened, for triggers and people to see.

    Parameters
    ----------
    name
        Words with dots between them, such as order.created.
    payload
        What it carries: a JSON object, `@file`, or `-` for standard input.
    json
        Print the id of the event as JSON.
    """
    carried = object_from(payload, option="--payload") if payload is not None else {}
    told = new_event(name, carried, at=datetime.now(UTC))

    async def keep(store: Store) -> None:
        await store.emit([told])

    with_store(keep)
    if json:
        print_json({"id": str(told.id)})
    else:
        say(f"{told.name} is told.")
    return exits.OK


def about_text(event: Event) -> str:
    """What an event carries, in a line."""
    if event.name.startswith(RUNS):
        return ", ".join(str(event.payload[name]) for name in ("reason", "by") if name in event.payload)
    text = json_text.dumps(dict(event.payload), ensure_ascii=False) if event.payload else ""
    return text if len(text) <= _LONGEST_PAYLOAD else f"{text[:_LONGEST_PAYLOAD]}…"


def _cells(event: Event) -> list[Cell]:
    of = event.resource.get(NAME) or event.resource.get(ID) or "-"
    return [Cell(event.name, "1"), Cell(of), Cell(about_text(event) or "-")]


async def _follow(store: Store, names: list[str], *, limit: int, json: bool) -> None:
    def show(event: Event) -> None:
        if json:
            print_json_line(event_json(event))
        else:
            [cells] = aligned([[clock(event.at), *(cell.text for cell in _cells(event))]], width=None)
            print("  ".join(cells).rstrip(), flush=True)

    async with store.changes(EVENTS) as ear:
        last = await store.newest_events(names=names, limit=limit)
        for event in reversed(last):
            show(event)
        after = last[0].seq if last else 0
        while True:
            page = await store.events(after=after, names=names)
            for event in page.events:
                show(event)
            after = page.upto
            if page.is_last:
                await ear.wait(LOOK_EVERY)
