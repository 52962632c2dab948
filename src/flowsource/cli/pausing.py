"""Pausing and resuming all deployments that a query asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from flowsource.bulk import pause_deployments, to_be_paused
from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_table, say
from flowsource.cli.several import SHOWN, go_on, tell
from flowsource.cli.standing import state_of
from flowsource.deployments import Deployment
from flowsource.promotions import Author
from flowsource.queries.deployments import parse_deployments
from flowsource.store.protocol import Store
from flowsource.store.values import COUNTED


def set_several_paused(text: str, paused: bool, who: Author, *, dry_run: bool, yes: bool, json: bool) -> int:
    """Hold the schedules of all deployments that the query `text` asks for, or let them go on; the exit code."""
    now = datetime.now(UTC)
    query = to_be_paused(parse_deployments(text, now=now, zone=None), paused)

    async def look(store: Store) -> list[Deployment]:
        return list((await store.find_deployments(query, limit=COUNTED, now=now)).items)

    found = with_store(look)
    if not found and not json:
        say(f"No deployment that is {'not ' if paused else ''}paused is like that.")
        return exits.OK

    def show() -> None:
        rows = [[state_of(deployment), Cell(deployment.full_name, "1")] for deployment in found[:SHOWN]]
        print_table(("STATE", "DEPLOYMENT"), rows)

    count = len(found)
    act = f"{'pause' if paused else 'resume'} {count} deployment{'s' if count != 1 else ''}"
    if go_on(act, count, show, dry_run=dry_run, yes=yes or not count, json=json):
        done = with_store(lambda store: pause_deployments(store, query, paused, who, now=store.now))
        tell(done, count, json=json)
    return exits.OK
