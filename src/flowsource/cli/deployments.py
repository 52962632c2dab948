"""`flowsource deployments`: what is served."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from flowsource.cli import exits
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import deployment_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_page, print_table, say
from flowsource.cli.times import both, relative
from flowsource.cli.words import parameters_text, revision_fields, revision_text, tags_text
from flowsource.deployments import Deployment
from flowsource.errors import InvalidSchedule
from flowsource.store.protocol import Store

deployments = group("deployments", "What is served: flows with their schedules and revisions.")


@deployments.command
def ls(*, json: bool = False) -> int:
    """All deployments: their schedules, revisions and states.

    Parameters
    ----------
    json
        Print a list of deployments as JSON.
    """
    now = datetime.now(UTC)

    async def find(store: Store) -> tuple[list[Deployment], Mapping[UUID, datetime]]:
        found = await store.deployments()
        return found, await _next_instants(store, found, now)

    found, next_at = with_store(find)
    if json:
        print_json([deployment_json(deployment, next_at.get(deployment.id)) for deployment in found])
    elif found:
        columns = ("STATE", "DEPLOYMENT", "SCHEDULE", "NEXT", "REVISION")
        print_table(columns, [_row(deployment, next_at.get(deployment.id), now) for deployment in found])
    else:
        say('No deployments yet. A script that calls `serve` on a flow registers one: my_flow.serve(name="first")')
    return exits.OK


@deployments.command
def show(name: str, /, *, json: bool = False) -> int:
    """Everything about one deployment.

    Parameters
    ----------
    name
        As flow/deployment, or the deployment's own name where only one has it.
    json
        Print the deployment as JSON.
    """
    now = datetime.now(UTC)

    async def find(store: Store) -> tuple[Deployment, datetime | None]:
        found = await store.deployment(name)
        return found, (await _next_instants(store, [found], now)).get(found.id)

    found, next_at = with_store(find)
    if json:
        print_json(deployment_json(found, next_at))
    else:
        print_page(found.full_name, _fields(found, next_at, now))
    return exits.OK


async def _next_instants(store: Store, deployments: Sequence[Deployment], now: datetime) -> dict[UUID, datetime]:
    """When each deployment wants its next run; those whose schedules are held or cannot fire, or that have none, are
    left out."""
    instants: dict[UUID, datetime] = {}
    for state in await store.schedules([deployment.id for deployment in deployments]):
        if state.is_held:
            continue
        with suppress(InvalidSchedule):
            at = state.schedule.next_after(now)
            instants[state.deployment_id] = min(at, instants.get(state.deployment_id, at))
    return instants


def _state(deployment: Deployment) -> Cell:
    """The one word that matters most."""
    if deployment.stopped:
        return Cell("⊘ stopped", "33")
    if deployment.paused:
        return Cell("⊘ paused", "33")
    if deployment.rejected:
        return Cell("✖ rejected", "31")
    return Cell("✔ ready", "32")


def _schedule(deployment: Deployment) -> str:
    return ", ".join(schedule.describe() for schedule in deployment.declared.schedules) or "on request"


def _row(deployment: Deployment, next_at: datetime | None, now: datetime) -> list[Cell]:
    return [
        _state(deployment),
        Cell(deployment.full_name, "1"),
        Cell(_schedule(deployment)),
        Cell(relative(next_at, now=now) if next_at else "-"),
        Cell(revision_text(deployment.active)),
    ]


def _fields(deployment: Deployment, next_at: datetime | None, now: datetime) -> list[tuple[str, Cell | str]]:
    declared, rejected = deployment.declared, deployment.rejected
    fields: list[tuple[str, Cell | str]] = [("state", _explained(deployment))]
    if deployment.description:
        fields.append(("description", deployment.description))
    fields.append(("schedule", _schedule(deployment)))
    if next_at:
        fields.append(("next", both(next_at, now=now)))
    fields += [
        *revision_fields("revision", deployment.active, now),
        ("source", declared.source_label),
        ("entrypoint", declared.entrypoint),
        ("takes", parameters_text(deployment.facts.parameter_schema)),
    ]
    if declared.parameters:
        fields.append(("parameters", json_text.dumps(dict(declared.parameters), ensure_ascii=False)))
    if declared.tags:
        fields.append(("tags", tags_text(declared.tags)))
    if declared.limit is not None:
        fields.append(("limit", f"{declared.limit} at once"))
    if rejected:
        fields += [
            ("rejected", Cell(f"{revision_text(rejected.revision)}, {both(rejected.at, now=now)}", "31")),
            ("reason", rejected.message),
        ]
        if rejected.details:
            fields.append(("traceback", f"{rejected.details.rstrip()}\n"))
    return fields


def _explained(deployment: Deployment) -> Cell:
    """The state, with what it means."""
    cell = _state(deployment)
    if deployment.stopped:
        return Cell(f"{cell.text}: its server has ended; runs wait until it is served again", cell.colour)
    if deployment.paused:
        return Cell(f"{cell.text}: its schedules are held; runs on request go on", cell.colour)
    if deployment.rejected:
        return Cell(f"{cell.text}: the newest revision does not load", cell.colour)
    return cell
