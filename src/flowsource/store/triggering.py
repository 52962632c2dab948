"""The triggers of deployments: those that the code declares, what people make of them, and what they counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from flowsource.errors import InConflict, Outdated, TriggerNotFound
from flowsource.merging import Item, merge_items
from flowsource.promotions import Author, HistoryEntry, Kind
from flowsource.store import firing, promoting, telling
from flowsource.store.holding import hold
from flowsource.store.tables import AnyRow, deployments, triggers
from flowsource.store.values import Firing, NewFiring, TriggerState
from flowsource.triggers import Trigger, trigger_from_json, trigger_key, trigger_to_json
from flowsource.triggers.counting import State, state_from_json, state_to_json
from flowsource.triggers.evaluating import begun
from flowsource.triggers.merging import merge_trigger

_STATES = (
    select(triggers, deployments.c.flow, deployments.c.name, deployments.c.paused)
    .join(deployments, deployments.c.id == triggers.c.deployment_id)
    .where(triggers.c.deployment_id.in_(bindparam("which", expanding=True)), triggers.c.is_removed.is_(False))
    .order_by(triggers.c.deployment_id, triggers.c.position)
)
_OF_DEPLOYMENT = triggers.c.deployment_id == bindparam("of_deployment")
_IN_ORDER = select(triggers).where(_OF_DEPLOYMENT).order_by(triggers.c.position)
_THIS = triggers.c.key == bindparam("of_key")
_ROW = select(triggers).where(_OF_DEPLOYMENT, _THIS)
_FORGET = delete(triggers).where(_OF_DEPLOYMENT, _THIS)
_LAST_PLACE = select(func.max(triggers.c.position)).where(_OF_DEPLOYMENT)
_MOVE = (
    update(triggers)
    .where(_OF_DEPLOYMENT, _THIS, triggers.c.version == bindparam("from_version"))
    .values(cursor=bindparam("to"), state=bindparam("counted"), version=triggers.c.version + 1)
)


def declare(connection: Connection, deployment_id: UUID, declared: Sequence[Trigger], *, now: datetime) -> None:
    """Bring the triggers up to what is declared now, with what people made of them meanwhile.

    One that was there, and waits for the same, goes on where it was.
    """
    rows = {row.key: row for row in connection.execute(_IN_ORDER, {"of_deployment": deployment_id})}
    kept = {key: _item_from(row) for key, row in rows.items()}
    items = merge_items(kept, {trigger_key(trigger): trigger for trigger in declared}, merge_trigger)
    wanted = [
        {
            "deployment_id": deployment_id,
            "key": key,
            "position": position,
            "declared": _text_of(item.declared) if item.declared is not None else None,
            "added_by": rows[key].added_by if item.declared is None else None,
            "is_removed": item.live is None,
            "version": rows[key].version + 1 if key in rows else 0,
            **_going_on(connection, rows.get(key), item.live, now=now),
        }
        for position, (key, item) in enumerate(items.items())
    ]
    if [_said(row) for row in wanted] == [_said(row._mapping) for row in rows.values()]:
        return
    connection.execute(delete(triggers).where(_OF_DEPLOYMENT), {"of_deployment": deployment_id})
    if wanted:
        connection.execute(insert(triggers), wanted)


def add(
    connection: Connection, deployment_id: UUID, trigger: Trigger, author: Author, *, now: datetime
) -> TriggerState:
    """Add a trigger that a person wants, or bring one of the code back that was removed."""
    hold(connection, deployment_id)
    key = trigger_key(trigger)
    row = connection.execute(_ROW, {"of_deployment": deployment_id, "of_key": key}).one_or_none()
    if row is not None and not row.is_removed:
        there = _trigger_from(row.trigger)
        raise InConflict(
            f"the deployment has that trigger already, as {there.name or key}: {there.describe()}. "
            "Give the new one a name of its own."
        )
    values = {"is_removed": False, **_going_on(connection, row, trigger, now=now)}
    if row is not None:
        _change(connection, row, **values)
    else:
        last = connection.execute(_LAST_PLACE, {"of_deployment": deployment_id}).scalar()
        place = {"deployment_id": deployment_id, "key": key, "position": 0 if last is None else last + 1, "version": 0}
        connection.execute(insert(triggers), {**place, "added_by": author.by, **values})
    _remember(connection, deployment_id, Kind.TRIGGER_ADDED, key, trigger, author, now)
    return _state(connection, deployment_id, key)


def set_enabled(
    connection: Connection, deployment_id: UUID, key: str, enabled: bool, author: Author, *, now: datetime
) -> TriggerState:
    """Hold one trigger, or let it go on with what happens from `now`."""
    hold(connection, deployment_id)
    before = _state(connection, deployment_id, key)
    if before.trigger.enabled == enabled:
        return before
    row = connection.execute(_ROW, {"of_deployment": deployment_id, "of_key": key}).one()
    _change(connection, row, **_going_on(connection, row, replace(before.trigger, enabled=enabled), now=now))
    kind = Kind.TRIGGER_RESUMED if enabled else Kind.TRIGGER_PAUSED
    _remember(connection, deployment_id, kind, key, before.trigger, author, now)
    return _state(connection, deployment_id, key)


def remove(connection: Connection, deployment_id: UUID, key: str, author: Author, *, now: datetime) -> TriggerState:
    """Let go of a trigger. One that the code declares is kept as removed, so that the next start knows."""
    hold(connection, deployment_id)
    last = _state(connection, deployment_id, key)
    row = connection.execute(_ROW, {"of_deployment": deployment_id, "of_key": key}).one()
    if last.origin == "person":
        connection.execute(_FORGET, {"of_deployment": deployment_id, "of_key": key})
    else:
        _change(connection, row, is_removed=True)
    _remember(connection, deployment_id, Kind.TRIGGER_REMOVED, key, last.trigger, author, now)
    return last


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


def _item_from(row: AnyRow) -> Item[Trigger]:
    return Item(
        declared=_trigger_from(row.declared) if row.declared is not None else None,
        live=None if row.is_removed else _trigger_from(row.trigger),
    )


def _going_on(connection: Connection, row: AnyRow | None, wanted: Trigger | None, *, now: datetime) -> dict[str, Any]:
    """The columns that say what a trigger is `wanted` to wait for, and what it has counted, after what `row` said of
    both. None is one that stays removed."""
    if row is not None and wanted is None:
        return {"trigger": row.trigger, "cursor": row.cursor, "state": row.state}
    assert wanted is not None, "only what is kept can be removed"
    if row is not None and not row.is_removed and _goes_on(_trigger_from(row.trigger), wanted):
        return {"trigger": _text_of(wanted), "cursor": row.cursor, "state": row.state}
    return {"trigger": _text_of(wanted), **_beginning(connection, wanted, now)}


def _state(connection: Connection, deployment_id: UUID, key: str) -> TriggerState:
    """Of the trigger of that key; raises TriggerNotFound."""
    there = {state.key: state for state in trigger_states(connection, [deployment_id])}
    if key not in there:
        raise TriggerNotFound(key)
    return there[key]


def _change(connection: Connection, row: AnyRow, **values: Any) -> None:
    """Change a trigger, so that whoever looks at it meanwhile finds that it is another."""
    this = update(triggers).where(_OF_DEPLOYMENT, _THIS)
    asked = {"of_deployment": row.deployment_id, "of_key": row.key}
    connection.execute(this.values(**values, version=triggers.c.version + 1), asked)


def _remember(
    connection: Connection,
    deployment_id: UUID,
    kind: Kind,
    key: str,
    trigger: Trigger,
    author: Author,
    now: datetime,
) -> None:
    details = {"trigger": trigger.name or trigger.describe(), "key": key}
    entry = HistoryEntry(kind=kind, at=now, by=author.by, reason=author.reason, details=details)
    promoting.remember(connection, deployment_id, [entry])


def _text_of(trigger: Trigger) -> str:
    return json.dumps(trigger_to_json(trigger))


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
        added_by=row.added_by,
    )
