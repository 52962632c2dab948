"""What a person does about triggers: add, pause, resume and remove them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.given import parameters_from
from flowsource.cli.json_shapes import trigger_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.people import By, Reason, author
from flowsource.cli.picking import name_of, pick_trigger
from flowsource.cli.schedule_given import length_from
from flowsource.cli.trigger_given import What, said_by
from flowsource.deployments import Deployment
from flowsource.store.protocol import Store
from flowsource.store.values import TriggerState
from flowsource.triggers.arguments import check_not_of_itself
from flowsource.triggers.reading import trigger_from_said

Name = Annotated[str, Parameter(help="As flow/deployment, or the deployment's own name where only one has it.")]
Which = Annotated[str, Parameter(help="Its name, or its key, of which the first digits may be enough (see ls).")]
Json = Annotated[bool, Parameter(help="Print the trigger as JSON.")]


def add(
    deployment: Name,
    /,
    *,
    what: What = What(),
    param: Annotated[tuple[str, ...], Parameter(name=["-p", "--param"], allow_leading_hyphen=True)] = (),
    params: Annotated[str | None, Parameter(name=["--params", "--parameters"], allow_leading_hyphen=True)] = None,
    name: str | None = None,
    schedule_after: str | None = None,
    disabled: bool = False,
    reason: Reason = None,
    by: By = None,
    json: Json = False,
) -> int:
    """Add a trigger to a deployment. It stays until somebody removes it, whatever its code says.

    Parameters
    ----------
    param
        A parameter of its runs as name=value, over those of the deployment. The value may take something from the
        event, as order={{ event.payload.id }} does.
    params
        Parameters as a JSON object, as @FILE that holds one, or as - for standard input.
    name
        Its name within the deployment.
    schedule_after
        How long after it fired its run comes due: seconds, or such as 10m.
    disabled
        Keep it without having it start anything.
    """
    who = author(by, reason)
    said = said_by(what)
    options = {
        "name": name,
        "enabled": not disabled,
        "schedule_after": length_from(schedule_after, "--schedule-after").total_seconds() if schedule_after else 0,
    }
    trigger_from_said({**said, **options})

    async def do(store: Store) -> tuple[Deployment, TriggerState]:
        found = await store.deployment(deployment)
        given = parameters_from(params, param, found.facts.parameter_schema)
        trigger = trigger_from_said({**said, **options, **({"parameters": given} if given else {})})
        check_not_of_itself([trigger], flow=found.flow, name=found.declared.name)
        return found, await store.add_trigger(found.id, trigger, who, now=store.now())

    return _tell(do, "is added", json=json)


def pause(deployment: Name, trigger: Which, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Hold one trigger of a deployment; its others go on."""
    return _set_enabled(deployment, trigger, False, reason, by, json=json)


def resume(deployment: Name, trigger: Which, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Let a trigger go on, with what happens from now."""
    return _set_enabled(deployment, trigger, True, reason, by, json=json)


def remove(deployment: Name, trigger: Which, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Take a trigger away. One of the code stays away until the code says something else of it."""
    who = author(by, reason)

    async def do(store: Store) -> tuple[Deployment, TriggerState]:
        found = await store.deployment(deployment)
        key = pick_trigger(trigger, await store.triggers([found.id]))
        return found, await store.remove_trigger(found.id, key, who, now=store.now())

    return _tell(do, "is removed", json=json, goes_on=False)


def _set_enabled(
    deployment: str, trigger: str, enabled: bool, reason: str | None, by: str | None, *, json: bool
) -> int:
    who = author(by, reason)

    async def do(store: Store) -> tuple[Deployment, TriggerState]:
        found = await store.deployment(deployment)
        key = pick_trigger(trigger, await store.triggers([found.id]))
        return found, await store.set_trigger_enabled(found.id, key, enabled, who, now=store.now())

    return _tell(do, "goes on" if enabled else "is held", json=json)


def _tell(
    do: Callable[[Store], Awaitable[tuple[Deployment, TriggerState]]], said: str, *, json: bool, goes_on: bool = True
) -> int:
    of, state = with_store(do)
    if json:
        print_json(trigger_json(state))
        return exits.OK
    say(f"Trigger {name_of(state)} of {of.full_name} {said}: {state.trigger.describe()}.")
    if goes_on and state.trigger.enabled and of.paused:
        say("It fires once the deployment is not paused.")
    return exits.OK
