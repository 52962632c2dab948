"""`flowsource triggers`: what makes deployments run, and what it did. What people do about it is in `trigger_acts`."""

from __future__ import annotations

from datetime import UTC, datetime

from flowsource.cli import exits
from flowsource.cli.given import check_limit
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import firing_json, trigger_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_page, print_table, say
from flowsource.cli.picking import name_of
from flowsource.cli.times import relative
from flowsource.cli.trigger_acts import add, pause, remove, resume
from flowsource.deployments import Deployment
from flowsource.store.protocol import Store
from flowsource.store.values import Firing, TriggerState

triggers = group("triggers", "What makes deployments run because something happened, and what it did.")
for _command in (add, pause, resume, remove):
    triggers.command(_command)

_COLOURS = {"fired": "32", "failed": "31", "cut": "31"}


@triggers.command
def ls(deployment: str | None = None, /, *, json: bool = False) -> int:
    """All triggers, or those of one deployment.

    Parameters
    ----------
    deployment
        As flow/deployment, or the deployment's own name where only one has it.
    json
        Print a list of triggers as JSON.
    """

    async def find(store: Store) -> list[TriggerState]:
        wanted = await store.deployments() if deployment is None else [await store.deployment(deployment)]
        return await store.triggers([one.id for one in wanted])

    found = sorted(with_store(find), key=lambda one: one.deployment)
    if json:
        print_json([trigger_json(one) for one in found])
    elif found:
        columns = ("STATE", "DEPLOYMENT", "TRIGGER", "WAITS FOR", "FROM")
        print_table(columns, [_listed(one) for one in found])
    else:
        say(
            "No triggers. Code gives some to `serve`, or on_completion_of='flow/deployment'; "
            "`flowsource triggers add` adds one."
        )
    return exits.OK


@triggers.command
def show(deployment: str, /, *, limit: int = 20, json: bool = False) -> int:
    """The triggers of a deployment, and what they fired, newest first, each with the event that caused it.

    Parameters
    ----------
    deployment
        As flow/deployment, or the deployment's own name where only one has it.
    limit
        How many firings at most (20).
    json
        Print an object with `triggers` and `firings` as JSON.
    """
    check_limit(limit)

    async def find(store: Store) -> tuple[Deployment, list[TriggerState], list[Firing]]:
        found = await store.deployment(deployment)
        return found, await store.triggers([found.id]), await store.firings(found.id, limit=limit)

    found, states, firings = with_store(find)
    if json:
        print_json(
            {"triggers": [trigger_json(one) for one in states], "firings": [firing_json(one) for one in firings]}
        )
        return exits.OK
    now = datetime.now(UTC)
    print_page(found.full_name, [(_state(one).text, _named(one)) for one in states] or [("triggers", "none")])
    if firings:
        print()
        print_table(("WHEN", "TRIGGER", "EVENT", "WHAT CAME OF IT"), [_row(one, now) for one in firings])
    else:
        say("They have not fired yet.")
    return exits.OK


def _state(one: TriggerState) -> Cell:
    if not one.trigger.enabled:
        return Cell("⊘ paused", "33")
    return Cell("⊘ deployment paused", "33") if one.is_held else Cell("✔ active", "32")


def _named(one: TriggerState) -> str:
    said = one.trigger.describe()
    return f"{one.trigger.name}: {said}" if one.trigger.name is not None else said


def _listed(one: TriggerState) -> list[Cell]:
    waits_for, added_by = Cell(one.trigger.describe()), Cell(one.added_by or "code")
    return [_state(one), Cell(one.deployment, "1"), Cell(name_of(one)), waits_for, added_by]


def _row(one: Firing, now: datetime) -> list[Cell]:
    event = f"{one.event.name} {one.event.id}" if one.event is not None else "-"
    came = f"run {one.run_id}" if one.run_id is not None else f"{one.outcome}: {one.reason}"
    return [Cell(relative(one.at, now=now)), Cell(one.trigger), Cell(event), Cell(came, _COLOURS[one.outcome])]
