"""What a person does about schedules: add, pause, resume and remove them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.given import parameters_from
from flowsource.cli.json_shapes import schedule_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.people import By, Reason, author
from flowsource.cli.picking import name_of, pick_schedule
from flowsource.cli.schedule_given import When, length_from, schedule_from
from flowsource.cli.times import both
from flowsource.deployments import Deployment
from flowsource.errors import InvalidSchedule
from flowsource.runner.requests import check_parameters
from flowsource.schedules import Catchup
from flowsource.store.protocol import Store
from flowsource.store.values import ScheduleState

Name = Annotated[str, Parameter(help="As flow/deployment, or the deployment's own name where only one has it.")]
Which = Annotated[str, Parameter(help="Its slug, or its key, of which the first digits may be enough (see ls).")]
Json = Annotated[bool, Parameter(help="Print the schedule as JSON.")]


def add(
    deployment: Name,
    /,
    *,
    when: When = When(),
    param: Annotated[tuple[str, ...], Parameter(name=["-p", "--param"], allow_leading_hyphen=True)] = (),
    params: Annotated[str | None, Parameter(name=["--params", "--parameters"], allow_leading_hyphen=True)] = None,
    slug: str | None = None,
    jitter: str | None = None,
    catchup: Catchup | None = None,
    max_lateness: str | None = None,
    both_days: bool = False,
    inactive: bool = False,
    reason: Reason = None,
    by: By = None,
    json: Json = False,
) -> int:
    """Add a schedule to a deployment. It stays until somebody removes it, whatever its code says.

    Parameters
    ----------
    param
        A parameter of its runs as name=value, over those of the deployment. The value is read as JSON unless the flow
        wants text.
    params
        Parameters as a JSON object, as @FILE that holds one, or as - for standard input.
    slug
        Its name within the deployment.
    jitter
        How long after its instant a run comes due at most, by chance: seconds, or such as 10m.
    catchup
        What becomes of instants that pass while nobody serves: latest, all or none; else as the deployment says.
    max_lateness
        How late a run may begin, and is skipped after that; else as the deployment says.
    both_days
        With --cron: days of the month and of the week must both hold.
    inactive
        Keep it without having it start anything.
    """
    who = author(by, reason)
    options = {
        "slug": slug,
        "active": not inactive,
        "jitter": length_from(jitter, "--jitter") if jitter is not None else 0,
        "catchup": catchup,
        "max_lateness": length_from(max_lateness, "--max-lateness") if max_lateness is not None else None,
        **({"day_or": False} if both_days and when.cron is not None else {}),
    }
    checked = schedule_from(when, **options)

    async def do(store: Store) -> tuple[Deployment, ScheduleState]:
        found = await store.deployment(deployment)
        given = parameters_from(params, param, found.facts.parameter_schema)
        values = check_parameters(found, given) if given else {}
        schedule = schedule_from(when, **options, parameters=values) if values else checked
        return found, await store.add_schedule(found.id, schedule, who, now=store.now())

    return _tell(do, "is added", json=json)


def pause(deployment: Name, schedule: Which, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Hold one schedule of a deployment; its others go on."""
    return _set_active(deployment, schedule, False, reason, by, json=json)


def resume(deployment: Name, schedule: Which, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Let a schedule go on, from now."""
    return _set_active(deployment, schedule, True, reason, by, json=json)


def remove(deployment: Name, schedule: Which, /, *, reason: Reason = None, by: By = None, json: Json = False) -> int:
    """Take a schedule away. One of the code stays away until the code says something else of it."""
    who = author(by, reason)

    async def do(store: Store) -> tuple[Deployment, ScheduleState]:
        found = await store.deployment(deployment)
        key = pick_schedule(schedule, await store.schedules([found.id]))
        return found, await store.remove_schedule(found.id, key, who, now=store.now())

    return _tell(do, "is removed", json=json, goes_on=False)


def _set_active(deployment: str, schedule: str, active: bool, reason: str | None, by: str | None, *, json: bool) -> int:
    who = author(by, reason)

    async def do(store: Store) -> tuple[Deployment, ScheduleState]:
        found = await store.deployment(deployment)
        key = pick_schedule(schedule, await store.schedules([found.id]))
        return found, await store.set_schedule_active(found.id, key, active, who, now=store.now())

    return _tell(do, "goes on" if active else "is held", json=json)


def _tell(
    do: Callable[[Store], Awaitable[tuple[Deployment, ScheduleState]]], said: str, *, json: bool, goes_on: bool = True
) -> int:
    of, state = with_store(do)
    now, next_at = datetime.now(UTC), None
    if goes_on and not state.is_held:
        # What was just done is not undone by a zone that this machine does not know.
        with suppress(InvalidSchedule):
            next_at = state.schedule.next_after(now)
    if json:
        print_json(schedule_json(state, of, next_at))
        return exits.OK
    say(f"Schedule {name_of(state)} of {of.full_name} {said}: {state.schedule.describe()}.")
    if next_at is not None:
        say(f"It fires next {both(next_at, now=now)}.")
    elif goes_on and state.schedule.active and state.is_held:
        say("It fires once the deployment is served and not paused.")
    return exits.OK
