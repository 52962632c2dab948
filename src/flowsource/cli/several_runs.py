"""An act on all runs that a query asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from flowsource.bulk import Done
from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import say
from flowsource.cli.run_table import print_runs
from flowsource.cli.several import SHOWN, go_on, said_count, tell
from flowsource.queries.runs import parse_runs
from flowsource.queries.terms import Query
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.store.values import Page


def do_to_runs(
    text: str,
    verb: str,
    narrow: Callable[[Query], Query],
    act: Callable[[Store, Query], Awaitable[Done]],
    *,
    nothing: str,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> int:
    """Have `act` do what `verb` (such as "cancel") says to all runs of the query `text`, as far as `narrow` lets them.

    They are shown first, and somebody is asked. `nothing` is said where there are none. The exit code.
    """
    now = datetime.now(UTC)
    query = narrow(parse_runs(text, now=now, zone=None))

    async def look(store: Store) -> tuple[int, Page[Run]]:
        return await store.count_runs(query), await store.find_runs(query, limit=SHOWN)

    count, first = with_store(look)
    if not count and not json:
        say(nothing)
        return exits.OK
    said = f"{verb} {said_count(count)} run{'s' if count != 1 else ''}"
    if go_on(said, count, lambda: print_runs(first.items, now), dry_run=dry_run, yes=yes or not count, json=json):
        tell(with_store(lambda store: act(store, query)), count, json=json)
    return exits.OK
