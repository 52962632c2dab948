"""The schedules of deployments: those that the code declares, and what people make of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from flowsource.errors import InConflict, ScheduleNotFound
from flowsource.merging import Item, merge_items
from flowsource.promotions import Author, HistoryEntry, Kind
from flowsource.schedules import Interval, Schedule, content_key, schedule_from_json
from flowsource.schedules.merging import merge_schedule
from flowsource.store import promoting, telling
from flowsource.store.holding import hold
from flowsource.store.rows import schedule_state_from
from flowsource.store.tables import AnyRow, deployments, schedules
from flowsource.store.values import ScheduleState

_OF_DEPLOYMENT = schedules.c.deployment_id == bindparam("which")
_STATES = (
    select(
        schedules,
        *(deployments.c.paused, deployments.c.stopped, deployments.c.options, deployments.c.max_lateness),
    )
    .join(deployments, deployments.c.id == schedules.c.deployment_id)
    .where(schedules.c.deployment_id.in_(bindparam("which", expanding=True)), schedules.c.is_removed.is_(False))
    .order_by(schedules.c.deployment_id, schedules.c.position)
)
_ROWS = select(schedules).where(_OF_DEPLOYMENT).order_by(schedules.c.position)
_ROW = select(schedules).where(_OF_DEPLOYMENT, schedules.c.key == bindparam("of_key"))
_FORGET = delete(schedules).where(_OF_DEPLOYMENT, schedules.c.key == bindparam("of_key"))
_LAST_PLACE = select(func.max(schedules.c.position)).where(_OF_DEPLOYMENT)
_SKIP_AHEAD = (
    update(schedules).where(_OF_DEPLOYMENT, schedules.c.cursor < bindparam("to")).values(cursor=bindparam("to"))
)


def states(connection: Connection, deployment_ids: Sequence[UUID]) -> list[ScheduleState]:
    """The schedules of these deployments, without those that people removed."""
    rows = connection.execute(_STATES, {"which": list(deployment_ids)})
    return [schedule_state_from(row) for row in rows]


def skip_ahead(connection: Connection, deployment_id: UUID, *, to: datetime) -> None:
    """Want no run for an instant that is not later than `to`."""
    connection.execute(_SKIP_AHEAD, {"which": deployment_id, "to": to})


def declare(
    connection: Connection,
    deployment_id: UUID,
    declared: Sequence[Schedule],
    *,
    resumes_at: datetime | None,
    now: datetime,
) -> bool:
    """Bring the schedules up to what is declared now, with what people made of them meanwhile.

    One that goes on keeps its anchor, and its cursor unless its deployment resumes. Returns whether something else was
    declared before.
    """
    rows = {row.key: row for row in connection.execute(_ROWS, {"which": deployment_id})}
    kept = {key: _item_from(row) for key, row in rows.items()}
    items = merge_items(kept, {content_key(schedule): schedule for schedule in declared}, merge_schedule)
    connection.execute(delete(schedules).where(_OF_DEPLOYMENT), {"which": deployment_id})
    columns = [
        {
            "deployment_id": deployment_id,
            "key": key,
            "position": position,
            "declared": item.declared.to_json() if item.declared is not None else None,
            "added_by": rows[key].added_by if item.declared is None else None,
            "is_removed": item.live is None,
            **_going_on(rows.get(key), item.live, resumes_at=resumes_at, now=now),
        }
        for position, (key, item) in enumerate(items.items())
    ]
    if columns:
        connection.execute(insert(schedules), columns)
    telling.tell_of_schedules(connection, deployment_id, [one for one in columns if one["key"] not in rows], at=now)
    before = {key: row.declared for key, row in rows.items() if row.declared is not None}
    return before != {one["key"]: one["declared"] for one in columns if one["declared"] is not None}


def add(
    connection: Connection, deployment_id: UUID, schedule: Schedule, author: Author, *, now: datetime
) -> ScheduleState:
    """Add a schedule that a person wants, or bring one of the code back that was removed."""
    hold(connection, deployment_id)
    key = content_key(schedule)
    row = connection.execute(_ROW, {"which": deployment_id, "of_key": key}).one_or_none()
    if row is not None and not row.is_removed:
        there = schedule_from_json(row.schedule)
        raise InConflict(
            f"the deployment has that schedule already, as {there.slug or key}: {there.describe()}. "
            "Give the new one a slug of its own."
        )
    values = {"is_removed": False, **_going_on(row, schedule, resumes_at=None, now=now)}
    if row is not None:
        _change(connection, deployment_id, key, **values)
    else:
        last = connection.execute(_LAST_PLACE, {"which": deployment_id}).scalar()
        place = {"deployment_id": deployment_id, "key": key, "position": 0 if last is None else last + 1}
        connection.execute(insert(schedules), {**place, "added_by": author.by, **values})
    _remember(connection, deployment_id, Kind.SCHEDULE_ADDED, key, schedule, author, now)
    return _state(connection, deployment_id, key)


def set_active(
    connection: Connection, deployment_id: UUID, key: str, active: bool, author: Author, *, now: datetime
) -> ScheduleState:
    """Hold one schedule, or let it go on from `now`."""
    hold(connection, deployment_id)
    before = _state(connection, deployment_id, key)
    if before.schedule.active == active:
        return before
    said = before.schedule.to_json()
    said.pop("active", None)
    if active:
        _change(connection, deployment_id, key, schedule=said, cursor=max(before.cursor, now))
    else:
        _change(connection, deployment_id, key, schedule={**said, "active": False})
    kind = Kind.SCHEDULE_RESUMED if active else Kind.SCHEDULE_PAUSED
    _remember(connection, deployment_id, kind, key, before.schedule, author, now)
    return _state(connection, deployment_id, key)


def remove(connection: Connection, deployment_id: UUID, key: str, author: Author, *, now: datetime) -> ScheduleState:
    """Let go of a schedule. One that the code declares is kept as removed, so that the next start knows."""
    hold(connection, deployment_id)
    last = _state(connection, deployment_id, key)
    if last.origin == "person":
        connection.execute(_FORGET, {"which": deployment_id, "of_key": key})
    else:
        _change(connection, deployment_id, key, is_removed=True)
    _remember(connection, deployment_id, Kind.SCHEDULE_REMOVED, key, last.schedule, author, now)
    return last


def _item_from(row: AnyRow) -> Item[Schedule]:
    return Item(
        declared=schedule_from_json(row.declared) if row.declared is not None else None,
        live=None if row.is_removed else schedule_from_json(row.schedule),
    )


def _going_on(
    row: AnyRow | None, wanted: Schedule | None, *, resumes_at: datetime | None, now: datetime
) -> dict[str, Any]:
    """The columns that say how a schedule is `wanted`, and how far it has got, after what `row` said of both.

    It goes on where that one is, if it fires at the same instants and was not held. None is one that stays removed.
    """
    kept = schedule_from_json(row.schedule) if row is not None else None
    if row is not None and wanted is None:
        return {"schedule": row.schedule, "cursor": row.cursor}
    assert wanted is not None, "only what is kept can be removed"
    if isinstance(wanted, Interval):
        anchor = kept.anchor_date if isinstance(kept, Interval) else None
        as_kept = wanted.anchored(anchor or now)
        wanted = as_kept if kept is not None and as_kept.content == kept.content else wanted.anchored(now)
    goes_on = kept is not None and kept.content == wanted.content and (kept.active or not wanted.active)
    if row is None or row.is_removed or not goes_on:
        return {"schedule": wanted.to_json(), "cursor": now}
    return {"schedule": wanted.to_json(), "cursor": max(row.cursor, resumes_at or row.cursor)}


def _state(connection: Connection, deployment_id: UUID, key: str) -> ScheduleState:
    """Of the schedule of that key; raises ScheduleNotFound."""
    there = {state.key: state for state in states(connection, [deployment_id])}
    if key not in there:
        raise ScheduleNotFound(key)
    return there[key]


def _change(connection: Connection, deployment_id: UUID, key: str, **values: Any) -> None:
    this = update(schedules).where(_OF_DEPLOYMENT, schedules.c.key == bindparam("of_key"))
    connection.execute(this.values(**values), {"which": deployment_id, "of_key": key})


def _remember(
    connection: Connection,
    deployment_id: UUID,
    kind: Kind,
    key: str,
    schedule: Schedule,
    author: Author,
    now: datetime,
) -> None:
    details = {"schedule": schedule.slug or schedule.describe(), "key": key}
    entry = HistoryEntry(kind=kind, at=now, by=author.by, reason=author.reason, details=details)
    promoting.remember(connection, deployment_id, [entry])
