"""`flowsource runs`: what has run, runs and will run."""

from __future__ import annotations

from datetime import UTC, datetime

from flowsource.cli import exits
from flowsource.cli.given import Words, check_limit, state_from
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import life_json, run_json
from flowsource.cli.life import Life, life_of
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, print_page, say, say_more
from flowsource.cli.run_page import run_fields
from flowsource.cli.run_table import print_runs
from flowsource.queries.runs import parse_runs
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.store.values import Page

runs = group("runs", "What has run, runs and will run.")
runs.command("flowsource.cli.cancelling:cancel", name="cancel")
runs.command("flowsource.cli.rerunning:rerun", name="rerun")
runs.command("flowsource.cli.runs_watch:watch", name="watch")


@runs.command
def ls(
    *query: Words,
    deployment: str | None = None,
    state: tuple[str, ...] = (),
    children: str | None = None,
    limit: int = 20,
    cursor: str | None = None,
    json: bool = False,
) -> int:
    """The newest runs first.

    Parameters
    ----------
    query
        What they are like, such as state:failed tag:etl -deployment:ping after:2d.
    deployment
        Only those of this deployment.
    children
        Only those that this run asked for, and the flows that were called inside it.
    state
        Only those in this state, such as failed; may be given again.
    limit
        How many at most (20).
    cursor
        Those that come behind a list: what it said at its end.
    json
        Print a list of runs as JSON.
    """
    check_limit(limit)
    now = datetime.now(UTC)
    wanted = parse_runs(" ".join(query), now=now, zone=None)
    if state:
        wanted = wanted.with_term("state", *map(state_from, state))

    async def find(store: Store) -> Page[Run]:
        narrowed = wanted
        if deployment is not None:
            narrowed = narrowed.with_term("deployment", (await store.deployment(deployment)).full_name)
        if children is not None:
            narrowed = narrowed.with_term("parent", (await store.run(children)).id.hex)
        return await store.find_runs(narrowed, cursor=cursor, limit=limit)

    found = with_store(find)
    if json:
        print_json([run_json(run) for run in found.items])
    elif found.items:
        print_runs(found.items, now)
    else:
        say(
            "No such runs."
            if wanted.terms or deployment or children or cursor
            else "No runs yet. Ask for one: flowsource run FLOW/DEPLOYMENT"
        )
    say_more(found.cursor)
    return exits.OK


@runs.command
def show(run: str, /, *, steps: bool = False, json: bool = False) -> int:
    """Everything about one run.

    Parameters
    ----------
    run
        Its id, a beginning of the id that no other run has, or its name (the newest of that name).
    steps
        Show every step of its life, also where there are many.
    json
        Print the run as JSON, with its attempts, its steps and its children.
    """

    async def find(store: Store) -> Life:
        return await life_of(store, await store.run(run))

    found = with_store(find)
    if json:
        print_json(life_json(found))
    else:
        fields = run_fields(found, datetime.now(UTC), shows_all_steps=steps)
        print_page(f"{found.run.name}  {found.run.id}", fields)
    return exits.OK
