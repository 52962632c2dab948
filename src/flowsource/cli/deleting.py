"""`flowsource deployments delete`: forget a deployment that nobody serves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from flowsource.bulk import delete_whole
from flowsource.cli import exits
from flowsource.cli.json_shapes import deployment_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.people import By, Reason, author
from flowsource.cli.run_table import print_runs
from flowsource.cli.several import SHOWN, go_on, said_count
from flowsource.deployments import Deployment
from flowsource.errors import InConflict
from flowsource.queries.terms import Query
from flowsource.runs import Run
from flowsource.store.protocol import Store


def delete(
    name: str,
    /,
    *,
    reason: Reason = None,
    by: By = None,
    dry_run: Annotated[bool, Parameter(help="Show what would go, and remove nothing.")] = False,
    yes: Annotated[bool, Parameter(help="Do it without asking first.")] = False,
    json: bool = False,
) -> int:
    """Delete a deployment that nobody serves: its runs with their logs, its schedules, triggers and history.

    It cannot be undone. One that is served is refused; stop its server first.

    Parameters
    ----------
    name
        As flow/deployment, or the deployment's own name where only one has it.
    json
        Print the deployment, as it was, as JSON.
    """
    who = author(by, reason)

    async def look(store: Store) -> tuple[Deployment, int, list[Run]]:
        found = await store.deployment(name)
        if found.id in await store.served(now=store.now()):
            raise InConflict(
                f"{found.full_name} is served. Stop its server (`flowsource runners ls` tells where it is)."
            )
        query = Query().with_term("deployment", found.full_name)
        return found, await store.count_runs(query), list((await store.find_runs(query, limit=SHOWN)).items)

    found, count, newest = with_store(look)

    runs = f"{said_count(count)} run{'' if count == 1 else 's'}"
    act = f"delete {found.full_name} with its schedules, its history and {runs}"

    def show() -> None:
        if newest:
            print_runs(newest, datetime.now(UTC))

    if go_on(act, count, show, dry_run=dry_run, yes=yes, json=json):
        with_store(lambda store: delete_whole(store, found.id, who))
        if json:
            print_json(deployment_json(found, None))
        else:
            say(f"{found.full_name} is deleted.")
    return exits.OK
