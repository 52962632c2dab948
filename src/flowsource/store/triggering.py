"""Triggers as they are kept: what each waits for, and what it has counted so far."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from flowsource.errors import Outdated
from flowsource.store import firing, telling
from flowsource.store.tables import AnyRow, deployments, triggers
from flowsource.store.values import Firing, NewFiring, TriggerState
from flowsource.triggers import Trigger, trigger_from_json, trigger_key, trigger_to_json
from flowsource.triggers.counting import State, state_from_json, state_to_json
from flowsource.triggers.evaluating import begun

_STATES = (
    select(triggers, deployments.c.flow, deployments.c.name, deployments.c.paused)
    .join(deployments, deployments.c.id == triggers.c.deployment_id)
    .where(triggers.c.deployment_id.in_(bindparam("which", expanding=True)))
    .order_by(triggers.c.deployment_id, triggers.c.position)
)
_OF_DEPLOYMENT = triggers.c.deployment_id == bindparam("of_deployment")
_IN_ORDER = select(triggers).where(_OF_DEPLOYMENT).order_by(triggers.c.position)
_MOVE = (
    update(triggers)
    .where(_OF_DEPLOYMENT, triggers.c.key == bindparam("of_key"), triggers.c.version == bindparam("from_version"))
    .values(cursor=bindparam("to"), state=bindparam("counted"), version=triggers.c.version + 1)
)


def replace_triggers(
    connection: Connection, deployment_id: UUID, declared: Iterable[Trigger], *, now: datetime
) -> None:
    """Keep the triggers that are declared. One that was there, and waits for the same, goes on where it was."""
    rows = connection.execute(_IN_ORDER, {"of_deployment": deployment_id})
    known = {row.key: row for row in rows}
    wanted = []
    for position, trigger in enumerate(declared):
        old = known.get(trigger_key(trigger))
        row = {"deployment_id": deployment_id, "key": trigger_key(trigger), "position": position}
        row |= {"trigger": json.dumps(trigger_to_json(trigger)), "version": old.version + 1 if old is not None else 0}
        if old is not None and _goes_on(_trigger_from(old.trigger), trigger):
            wanted.append({**row, "cursor": old.cursor, "state": old.state})
        else:
            wanted.append({**row, **_beginning(connection, trigger, now)})
    if [_said(row) for row in wanted] == [_said(row._mapping) for row in known.values()]:
        return
    connection.execute(delete(triggers).where(_OF_DEPLOYMENT), {"of_deployment": deployment_id})
    if wanted:
        connection.execute(insert(triggers), wanted)


def begin_anew(connection: Connection, deployment_id: UUID, *, now: datetime) -> None:
    """Have the triggers of a deployment look at nothing that happened before `now`."""
    for state in trigger_states(connection, [deployment_id]):
        asked = {"of_deployment": deployment_id, "of_key": state.key, "from_version": state.version}
        anew = _beginning(connection, state.trigger, now)
        connection.execute(_MOVE, {**asked, "to": anew["cursor"], "counted": anew["state"]})


def trigger_states(connection: Connection, deployment_ids: Sequence[UUID]) -> list[TriggerState]:
    """The triggers of these deployments."""
    return [_state_from(row) for row in connection.execute(_STATES, {"which": list(deployment_ids)})]


def move(
    connection: Connection,
    before: TriggerState,
    *,
    state: State,
    cursor: int,
    fired: Sequence[NewFiring],
    now: datetime,
) -> list[Firing]:
    """Keep what a trigger has counted by now, with its firings and their runs; raises Outdated where it has moved."""
    asked = {"of_deployment": before.deployment_id, "of_key": before.key, "from_version": before.version}
    if not connection.execute(_MOVE, {**asked, "to": cursor, "counted": state_to_json(state)}).rowcount:
        raise Outdated(f"a trigger of {before.deployment} was looked at by another server meanwhile.")
    return firing.fire(connection, before, fired, now=now)


@lru_cache(maxsize=2000)
def _trigger_from(text: str) -> Trigger:
    return trigger_from_json(json.loads(text))


def _goes_on(old: Trigger, new: Trigger) -> bool:
    """Whether `new` waits for what `old` waited for, so that what was counted counts; one that was held begins anew."""
    return old.enabled and old.content_to_json() == new.content_to_json()


def _beginning(connection: Connection, trigger: Trigger, now: datetime) -> dict[str, Any]:
    return {"cursor": telling.last_number(connection), "state": state_to_json(begun(trigger, at=now))}


def _said(row: Any) -> dict[str, Any]:
    """What a row says, whichever time it was written."""
    return {name: value for name, value in row.items() if name != "version"}


def _state_from(row: AnyRow) -> TriggerState:
    trigger = _trigger_from(row.trigger)
    return TriggerState(
        deployment_id=row.deployment_id,
        deployment=f"{row.flow}/{row.name}",
        key=row.key,
        trigger=trigger,
        state=state_from_json(row.state),
        cursor=row.cursor,
        version=row.version,
        is_held=row.paused or not trigger.enabled,
    )
