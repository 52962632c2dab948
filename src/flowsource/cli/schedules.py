"""`flowsource schedules`: when deployments run. What a person does about it stands in `schedule_acts`."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from flowsource.cli import exits
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import schedule_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_table, say
from flowsource.cli.picking import name_of
from flowsource.cli.schedule_acts import add, pause, remove, resume
from flowsource.cli.schedule_previews import following
from flowsource.cli.times import relative
from flowsource.deployments import Deployment
from flowsource.errors import InvalidSchedule
from flowsource.store.protocol import Store
from flowsource.store.values import ScheduleState

schedules = group("schedules", "When deployments run: what their code says, and what people made of it.")
schedules.command(following, name="next")
for _command in (add, pause, resume, remove):
    schedules.command(_command)


@schedules.command
def ls(deployment: str | None = None, /, *, json: bool = False) -> int:
    """All schedules, or those of one deployment.

    Parameters
    ----------
    deployment
        As flow/deployment, or the deployment's own name where only one has it.
    json
        Print a list of schedules as JSON.
    """

    async def find(store: Store) -> list[tuple[Deployment, ScheduleState]]:
        found = await store.deployments() if deployment is None else [await store.deployment(deployment)]
        by_id = {one.id: one for one in found}
        states = await store.schedules(list(by_id))
        places = {one.id: place for place, one in enumerate(found)}
        return [(by_id[state.deployment_id], state) for state in sorted(states, key=lambda s: places[s.deployment_id])]

    listed, now = with_store(find), datetime.now(UTC)
    if json:
        print_json([schedule_json(state, of, _next_at(state, now)) for of, state in listed])
    elif listed:
        columns = ("STATE", "DEPLOYMENT", "SCHEDULE", "FIRES", "NEXT", "FROM")
        print_table(columns, [_row(of, state, now) for of, state in listed])
    else:
        say("No schedules. Code gives some to `serve`; `flowsource schedules add` adds one.")
    return exits.OK


def _next_at(state: ScheduleState, now: datetime) -> datetime | None:
    """When it wants its next run; None where it is held, has ended, or cannot be used on this machine."""
    if not state.is_held:
        with suppress(InvalidSchedule):
            return state.schedule.next_after(now)
    return None


def _row(deployment: Deployment, state: ScheduleState, now: datetime) -> list[Cell]:
    next_at = _next_at(state, now)
    return [
        _state(deployment, state, next_at),
        Cell(deployment.full_name, "1"),
        Cell(name_of(state)),
        Cell(state.schedule.describe()),
        Cell(relative(next_at, now=now) if next_at else "-"),
        Cell(state.added_by or "code"),
    ]


def _state(deployment: Deployment, state: ScheduleState, next_at: datetime | None) -> Cell:
    """What holds it, the nearest reason first."""
    if not state.schedule.active:
        return Cell("⊘ paused", "33")
    if deployment.stopped:
        return Cell("⊘ server stopped", "33")
    if deployment.paused:
        return Cell("⊘ deployment paused", "33")
    return Cell("✔ active", "32") if next_at else Cell("✖ fires no more", "31")
