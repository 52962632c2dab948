"""`flowsource schedules next`: when schedules will fire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.json_shapes import coming_json, instant_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_table, say
from flowsource.cli.picking import name_of
from flowsource.cli.schedule_given import When, schedule_from
from flowsource.cli.times import absolute, duration, relative
from flowsource.errors import InvalidInput, InvalidSchedule
from flowsource.schedules import Interval, Schedule
from flowsource.schedules.forecasting import Coming, coming
from flowsource.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A schedule, with how a person calls it and whose it is."""

    schedule: Schedule
    name: str | None = None
    deployment: str | None = None

    @property
    def text(self) -> str:
        """What to call it in a table."""
        return f"{self.deployment} {self.name}" if self.deployment is not None else self.schedule.describe()


def following(
    deployment: str | None = None,
    /,
    *,
    when: When = When(),
    number: Annotated[int, Parameter(name=["-n", "--number"])] = 20,
    json: bool = False,
) -> int:
    """When schedules will fire next: those that are kept, or one that you think of.

    Of each instant there is what the clock shows in the zone of the schedule, and here. Where clocks are set between
    two of them, that is told.

    Parameters
    ----------
    deployment
        Only the schedules of this one: flow/deployment, or its own name where only one has it.
    number
        How many at most (20).
    json
        Print a list of instants as JSON.
    """
    if number < 1:
        raise InvalidInput(f"-n {number}: give 1 or more.")
    if when.is_given and deployment is not None:
        raise InvalidInput("give a deployment, or a schedule to try out, not both.")
    now = datetime.now(UTC)
    if when.is_given:
        schedule = schedule_from(when)
        named = [_Named(schedule=schedule.anchored(now) if isinstance(schedule, Interval) else schedule)]
    else:
        named = with_store(lambda store: _kept(store, deployment))
    found = sorted(_instants(named, now, number), key=lambda one: one[1].at)[:number]
    if json:
        print_json([_json(of, each) for of, each in found])
    elif found:
        columns = ("WHEN", "IN ITS ZONE", "HERE", "SCHEDULE", "")
        print_table(columns, [_row(of, each, now) for of, each in found])
    else:
        say("Nothing will fire.")
    return exits.OK


async def _kept(store: Store, deployment: str | None) -> list[_Named]:
    """The schedules that go on, of one deployment or of all; says how many do not."""
    found = await store.deployments() if deployment is None else [await store.deployment(deployment)]
    names = {one.id: one.full_name for one in found}
    states = await store.schedules(list(names))
    if held := sum(state.is_held for state in states):
        say(f"{held} of {len(states)} schedules {'is' if held == 1 else 'are'} held, and left out.")
    return [
        _Named(schedule=state.schedule, name=name_of(state), deployment=names[state.deployment_id])
        for state in states
        if not state.is_held
    ]


def _instants(named: list[_Named], now: datetime, number: int) -> Iterator[tuple[_Named, Coming]]:
    for of in named:
        try:
            each = coming(of.schedule, now=now, count=number)
        except InvalidSchedule as error:
            say(f"{of.text} is left out: {error}")
            continue
        yield from ((of, one) for one in each)


def _row(of: _Named, each: Coming, now: datetime) -> list[Cell]:
    return [
        Cell(relative(each.at, now=now)),
        Cell(each.at.strftime("%a %Y-%m-%d %H:%M:%S %Z"), "1"),
        Cell(absolute(each.at)),
        Cell(of.text),
        Cell(_change(each.clock_set_by), "33"),
    ]


def _change(set_by: timedelta) -> str:
    if not set_by:
        return ""
    way = "forward" if set_by > timedelta() else "back"
    return f"the clock there was set {way} by {duration(abs(set_by))}"


def _json(of: _Named, each: Coming) -> dict[str, Any]:
    return {
        **coming_json(each),
        "here": instant_json(each.at.astimezone()),
        "timezone": of.schedule.timezone,
        "deployment": of.deployment,
        "schedule": of.name,
        "said": of.schedule.describe(),
    }
