"""`flowsource runs`: what has run, runs and will run."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime

from flowsource.cli import exits
from flowsource.cli.given import check_limit, state_from
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import run_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_page, print_table, say, state_cell
from flowsource.cli.times import both, duration, relative
from flowsource.cli.words import revision_fields, tags_text
from flowsource.runs import Run
from flowsource.store.protocol import Store

runs = group("runs", "What has run, runs and will run.")


@runs.command
def ls(*, deployment: str | None = None, state: tuple[str, ...] = (), limit: int = 20, json: bool = False) -> int:
    """The newest runs first.

    Parameters
    ----------
    deployment
        Only those of this deployment.
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
        return await store.runs(deployment_id=of, states=states, limit=limit)

    found = with_store(find)
    if json:
        print_json([run_json(run) for run in found])
    elif found:
        now = datetime.now(UTC)
        columns = ("STATE", "RUN", "DEPLOYMENT", "REVISION", "WHEN", "TOOK")
        print_table(columns, [_row(run, now) for run in found])
    else:
        say("No such runs." if deployment or states else "No runs yet. Ask for one: flowsource run FLOW/DEPLOYMENT")
    return exits.OK


@runs.command
def show(run: str, /, *, json: bool = False) -> int:
    """Everything about one run.

    Parameters
    ----------
    run
        Its id, a beginning of the id that no other run has, or its name (the newest of that name).
    json
        Print the run as JSON.
    """

    async def find(store: Store) -> Run:
        return await store.run(run)

    found = with_store(find)
    if json:
        print_json(run_json(found))
    else:
        print_page(f"{found.name}  {found.id}", _fields(found, datetime.now(UTC)))
    return exits.OK


def _row(run: Run, now: datetime) -> list[Cell]:
    return [
        state_cell(run.state),
        Cell(run.name, "1"),
        Cell(run.deployment),
        Cell(run.revision.short if run.revision else "-"),
        Cell(relative(run.started_at or run.ended_at or run.scheduled_at, now=now)),
        Cell(_took(run, now) or "-"),
    ]


def _took(run: Run, now: datetime) -> str:
    """How long it ran, or has been running."""
    if run.started_at is None:
        return ""
    return duration((run.ended_at or now) - run.started_at)


def _fields(run: Run, now: datetime) -> list[tuple[str, Cell | str]]:
    fields: list[tuple[str, Cell | str]] = [("state", state_cell(run.state)), ("deployment", run.deployment)]
    if run.failure:
        fields.append(("failure", Cell(f"{run.failure.kind}: {run.failure.message}", "31")))
    if run.has_result:
        fields.append(("result", json_text.dumps(run.result, ensure_ascii=False)))
    elif run.result_note is not None:
        fields.append(("result", run.result_note))
    fields += [
        (name, both(at, now=now))
        for name, at in (
            ("due", run.scheduled_at),
            ("claimed", run.claimed_at),
            ("started", run.started_at),
            ("ended", run.ended_at),
        )
        if at is not None
    ]
    if took := _took(run, now):
        fields.append(("took", took))
    if run.revision:
        fields += revision_fields("revision", run.revision, now)
    fields.append(("parameters", json_text.dumps(dict(run.parameters), ensure_ascii=False)))
    fields.append(("created by", "a schedule" if run.schedule else "request"))
    if run.tags:
        fields.append(("tags", tags_text(run.tags)))
    if run.failure and run.failure.traceback:
        fields.append(("traceback", f"{run.failure.traceback.rstrip()}\n"))
    return fields
