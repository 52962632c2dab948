"""`flowsource deployments`: what is served. What a person does about it stands in `acts`."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from uuid import UUID

from flowsource.cli import exits
from flowsource.cli.given import Words, check_limit
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import deployment_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_page, print_table, say, say_more
from flowsource.cli.planned import next_instants
from flowsource.cli.standing import standing_fields, state_explained, state_of
from flowsource.cli.times import both, duration, relative
from flowsource.cli.words import parameters_text, revision_fields, tags_text
from flowsource.deployments import Declaration, Deployment
from flowsource.queries.deployments import parse_deployments
from flowsource.schedules import Schedule
from flowsource.store.protocol import Store
from flowsource.store.values import Page, TriggerState
from flowsource.text import revision_text

deployments = group("deployments", "What is served: flows with their schedules and revisions.")
for _act in ("pin", "unpin", "rollback", "accept", "recheck", "pause", "resume"):
    deployments.command(f"flowsource.cli.acts:{_act}", name=_act)
deployments.command("flowsource.cli.history:history", name="history")
deployments.command("flowsource.cli.run:run", name="run")
deployments.command("flowsource.cli.deleting:delete", name="delete")


@deployments.command
def ls(*query: Words, limit: int = 1000, cursor: str | None = None, json: bool = False) -> int:
    """All deployments: their schedules, revisions and states.

    Parameters
    ----------
    query
        Only those that are like this, such as tag:etl paused:no.
    limit
        How many at most (1000).
    cursor
        Those that come behind a list: what it said at its end.
    json
        Print a list of deployments as JSON.
    """
    check_limit(limit)
    now = datetime.now(UTC)
    wanted = parse_deployments(" ".join(query), now=now, zone=None)

    async def find(store: Store) -> tuple[Page[Deployment], Mapping[UUID, datetime], Sequence[TriggerState]]:
        found = await store.find_deployments(wanted, cursor=cursor, limit=limit, now=store.now())
        ids = [deployment.id for deployment in found.items]
        return found, await next_instants(store, found.items, now), await store.triggers(ids)

    found, next_at, triggers = with_store(find)
    if json:
        print_json([deployment_json(deployment, next_at.get(deployment.id)) for deployment in found.items])
    elif found.items:
        columns = ("STATE", "DEPLOYMENT", "SCHEDULE", "NEXT", "REVISION")
        on_events = {one.deployment_id for one in triggers if one.trigger.enabled}
        rows = [_row(one, next_at.get(one.id), now, is_on_events=one.id in on_events) for one in found.items]
        print_table(columns, rows)
    elif wanted.terms or cursor:
        say("No such deployments.")
    else:
        say('No deployments yet. A script that calls `serve` on a flow registers one: my_flow.serve(name="first")')
    say_more(found.cursor)
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

    async def find(store: Store) -> tuple[Deployment, datetime | None, Sequence[TriggerState]]:
        found = await store.deployment(name)
        return found, (await next_instants(store, [found], now)).get(found.id), await store.triggers([found.id])

    found, next_at, triggers = with_store(find)
    if json:
        print_json(deployment_json(found, next_at))
    else:
        print_page(found.full_name, _fields(found, next_at, triggers, now))
    return exits.OK


def _schedule(deployment: Deployment, *, is_on_events: bool) -> str:
    return ", ".join(map(_said, deployment.schedules)) or ("on events" if is_on_events else "on request")


def _said(schedule: Schedule) -> str:
    return schedule.describe() if schedule.active else f"{schedule.describe()} (not active)"


def _said_of_trigger(one: TriggerState) -> str:
    return one.trigger.describe() if one.trigger.enabled else f"{one.trigger.describe()} (held)"


def _row(deployment: Deployment, next_at: datetime | None, now: datetime, *, is_on_events: bool) -> list[Cell]:
    return [
        state_of(deployment),
        Cell(deployment.full_name, "1"),
        Cell(_schedule(deployment, is_on_events=is_on_events)),
        Cell(relative(next_at, now=now) if next_at else "-"),
        Cell(revision_text(deployment.active)),
    ]


def _fields(
    deployment: Deployment, next_at: datetime | None, triggers: Sequence[TriggerState], now: datetime
) -> list[tuple[str, Cell | str]]:
    declared = deployment.declared
    fields: list[tuple[str, Cell | str]] = [("state", state_explained(deployment))]
    if deployment.description:
        fields.append(("description", deployment.description))
    is_on_events = any(one.trigger.enabled for one in triggers)
    fields.append(("schedule", _schedule(deployment, is_on_events=is_on_events)))
    if triggers:
        fields.append(("triggers", ", ".join(map(_said_of_trigger, triggers))))
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
    return fields + _policies(declared) + standing_fields(deployment, now)


def _policies(declared: Declaration) -> list[tuple[str, Cell | str]]:
    """How its runs are treated, where that is not as it is without a word."""
    usual = {field.name: field.default for field in fields_of(Declaration)}
    beyond = "is cancelled" if declared.collision_strategy == "cancel_new" else "waits"
    said = {
        "limit": f"{declared.limit} at once on a server",
        "global_limit": f"{declared.global_limit} at once in all; a run beyond that {beyond}",
        "catchup": declared.catchup,
        "max_lateness": ""
        if declared.max_lateness is None
        else f"{duration(declared.max_lateness)}, then a run is skipped",
        "on_lost": declared.on_lost,
        "workdir": declared.workdir,
        "freshness": declared.freshness,
        "preload": ", ".join(declared.preload),
        "grace": duration(declared.grace),
        "paths": ", ".join(declared.paths),
    }
    return [(name.replace("_", " "), text) for name, text in said.items() if getattr(declared, name) != usual.get(name)]
