"""`flowsource runs`: what has run, runs and will run."""

from __future__ import annotations

from datetime import UTC, datetime

from flowsource.cli import exits
from flowsource.cli.cancelling import cancel
from flowsource.cli.given import check_limit, state_from
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import life_json, run_json
from flowsource.cli.life import Life, life_of, took
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_page, print_table, say, state_cell
from flowsource.cli.run_page import run_fields
from flowsource.cli.times import relative
from flowsource.runs import Run
from flowsource.store.protocol import Store

runs = group("runs", "What has run, runs and will run.")
runs.command(cancel)


@runs.command
def ls(
    *,
    deployment: str | None = None,
    state: tuple[str, ...] = (),
    children: str | None = None,
    limit: int = 20,
    json: bool = False,
) -> int:
    """The newest runs first.

    Parameters
    ----------
    deployment
        Only those of this deployment.
    children
        Only those that this run asked for, and the flows that were called inside it.
    state
        Only those in this state, such as failed; may be given again.
    limit
        How many at most (20).
    json
        Print a list of runs as JSON.
    """
    check_limit(limit)
    states = [state_from(text) for text in state]

    async def find(store: Store) -> list[Run]:
        of = (await store.deployment(deployment)).id if deployment is not None else None
        parent = (await store.run(children)).id if children is not None else None
        return await store.runs(deployment_id=of, states=states, parent_id=parent, limit=limit)

    found = with_store(find)
    if json:
        print_json([run_json(run) for run in found])
    elif found:
        now = datetime.now(UTC)
        columns = ("STATE", "RUN", "DEPLOYMENT", "REVISION", "WHEN", "TOOK")
        print_table(columns, [_row(run, now) for run in found])
    else:
        say(
            "No such runs."
            if deployment or states or children
            else "No runs yet. Ask for one: flowsource run FLOW/DEPLOYMENT"
        )
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


def _row(run: Run, now: datetime) -> list[Cell]:
    return [
        state_cell(run.state),
        Cell(run.name, "1"),
        Cell(f"{run.flow}, inside" if run.is_nested else run.deployment),
        Cell(run.revision.short if run.revision else "-"),
        Cell(relative(run.started_at or run.ended_at or run.scheduled_at, now=now)),
        Cell(took(run.started_at, run.ended_at, now) or "-"),
    ]
