"""`flowsource runs watch`: runs as they change."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from uuid import UUID

from flowsource.cli import exits
from flowsource.cli.following import state_text
from flowsource.cli.given import Words
from flowsource.cli.json_shapes import run_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json_line
from flowsource.cli.times import clock
from flowsource.errors import RunNotFound
from flowsource.event_names import RUNS
from flowsource.queries.runs import matches, parse_runs
from flowsource.queries.terms import Query
from flowsource.runner.requests import LOOK_EVERY
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import EVENTS
from flowsource.text import one_line

_STEPS = (f"{RUNS}*",)
# So many runs are remembered, so that none is told twice in the same state.
_MOST_REMEMBERED = 10_000


def watch(*query: Words, json: bool = False) -> int:
    """Runs as they change, a line for each state they are seen in, until interrupted.

    What is past is not told: see `flowsource runs ls`. A run that is quick is seen in its last state alone.

    Parameters
    ----------
    query
        Only those that are like this, such as state:failed tag:etl.
    json
        Print each as a JSON object of its own.
    """
    wanted = parse_runs(" ".join(query), now=datetime.now(UTC), zone=None)
    with_store(lambda store: _watch(store, wanted, json=json))
    return exits.OK


async def _watch(store: Store, wanted: Query, *, json: bool) -> None:
    told: dict[UUID, tuple[RunState, int]] = {}
    async with store.changes(EVENTS) as ear:
        last = await store.newest_events(limit=1)
        after = last[0].seq if last else 0
        while True:
            page = await store.events(after=after, names=_STEPS)
            for run_id in dict.fromkeys(event.run_id for event in page.events if event.run_id is not None):
                run = await _run(store, run_id)
                if run is not None and matches(wanted, run) and told.get(run.id) != (run.state, run.attempt):
                    told[run.id] = run.state, run.attempt
                    _show(run, json=json)
            while len(told) > _MOST_REMEMBERED:
                del told[next(iter(told))]
            after = page.upto
            if page.is_last:
                await ear.wait(LOOK_EVERY)


async def _run(store: Store, run_id: UUID) -> Run | None:
    try:
        return await store.run(str(run_id))
    except RunNotFound:
        return None  # It was removed meanwhile.


def _show(run: Run, *, json: bool) -> None:
    if json:
        print_json_line(run_json(run))
    else:
        of = f"{one_line(run.name)}  {one_line(run.deployment)}"
        print(f"{clock(run.changed_at)}  {of}  {state_text(run, sys.stdout)}", flush=True)
