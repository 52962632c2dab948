"""Events as they are kept: told in the transaction in which they happen, and read in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from flowsource.errors import RunNotFound
from flowsource.event_names import RUNS, check_event_name
from flowsource.events import Event, Labels, NewEvent, flow_and_tags, resource
from flowsource.promotions import HistoryEntry
from flowsource.runs import RunState
from flowsource.schedules import schedule_from_json
from flowsource.store.settling import is_settled
from flowsource.store.tables import AnyRow, deployments, events, insert_unless_there, runs
from flowsource.store.values import EventPage

_TELL = insert(events)
_LAST = select(func.coalesce(func.max(events.c.seq), 0))
_EVENTS = select(
    events,
    runs.c.name.label("run_name"),
    *(runs.c.deployment_id, runs.c.deployment, runs.c.flow, runs.c.tags, runs.c.is_nested),
    *(runs.c.state, runs.c.parameters, runs.c.has_result, runs.c.result),
).outerjoin(runs, runs.c.id == events.c.run_id)
_AFTER = (
    _EVENTS.where(events.c.seq > bindparam("after"), events.c.seq <= bindparam("upto"))
    .order_by(events.c.seq)
    .limit(bindparam("limit"))
)
_NEWEST = _EVENTS.order_by(events.c.seq.desc()).limit(bindparam("limit"))
_ONE = _EVENTS.where(events.c.seq == bindparam("which"))
_DEPLOYMENTS = select(deployments.c.id, deployments.c.flow, deployments.c.name, deployments.c.tags).where(
    deployments.c.id.in_(bindparam("which", expanding=True))
)
# What has no id of its own is named by its number, always in the same way.
_NAMED_BY_NUMBER = UUID("5d3bc1f4-0f4b-4b8e-9f0a-6f5f6c1d2a37")


def emit(connection: Connection, told: Sequence[NewEvent]) -> None:
    """Keep what somebody tells, each once.

    Raises RunNotFound where the run that tells it is not there, InvalidInput for a name under which only we tell.
    """
    for one in told:
        row = {
            "id": one.id,
            "at": one.at,
            "name": check_event_name(one.name),
            "run_id": one.run_id,
            "resource": dict(one.resource),
            "related": [dict(labels) for labels in one.related],
            "payload": dict(one.payload),
        }
        try:
            connection.execute(insert_unless_there(connection, events), row)
        except IntegrityError:
            raise RunNotFound(str(one.run_id)) from None


def tell(
    connection: Connection,
    name: str,
    *,
    at: datetime,
    about: Labels,
    related: Iterable[Labels] = (),
    payload: Mapping[str, Any] | None = None,
    by: str | None = None,
    reason: str | None = None,
) -> None:
    """Keep that something of ours happened, other than to a run."""
    row = {"resource": dict(about), "related": list(related), "payload": dict(payload or {})}
    connection.execute(_TELL, {"name": name, "at": at, "by": by, "reason": reason, **row})


def tell_of_deployments(
    connection: Connection,
    ids: Sequence[UUID],
    what: str,
    *,
    at: datetime,
    payload: Mapping[str, Any] | None = None,
    by: str | None = None,
    reason: str | None = None,
) -> None:
    """Keep that something happened to these deployments."""
    for row in connection.execute(_DEPLOYMENTS, {"which": list(ids)}).all():
        about, related = resource("deployment", row.id, row.name), flow_and_tags(row.flow, row.tags)
        name = f"deployment.{what}"
        tell(connection, name, at=at, about=about, related=related, payload=payload, by=by, reason=reason)


def tell_of_schedules(
    connection: Connection, deployment_id: UUID, made: Sequence[Mapping[str, Any]], *, at: datetime
) -> None:
    """Keep that a deployment has these schedules, given as their rows, from now on."""
    if not made:
        return
    [row] = connection.execute(_DEPLOYMENTS, {"which": [deployment_id]})
    related = [resource("deployment", row.id, row.name, role="deployment"), *flow_and_tags(row.flow, row.tags)]
    for schedule in made:
        about = resource("schedule", schedule["key"], schedule_from_json(schedule["schedule"]).describe())
        payload = {"schedule": schedule["schedule"]}
        tell(connection, "schedule.created", at=at, about=about, related=related, payload=payload)


def tell_history(connection: Connection, deployment_id: UUID, entries: Iterable[HistoryEntry]) -> None:
    """Keep what the history of a deployment tells."""
    for entry in entries:
        revision, previous = entry.revision, entry.previous
        payload = {
            "revision": revision.id if revision is not None else None,
            "previous": previous.id if previous is not None else None,
            "message": entry.details.get("message"),
        }
        known = {name: value for name, value in payload.items() if value is not None}
        tell_of_deployments(
            connection, [deployment_id], entry.kind, at=entry.at, payload=known, by=entry.by, reason=entry.reason
        )


def last_number(connection: Connection) -> int:
    """The greatest number of an event; one with a smaller may still come, where several write at once."""
    return int(connection.execute(_LAST).scalar_one())


def events_after(connection: Connection, after: int, *, names: Sequence[str], limit: int) -> EventPage:
    """Events behind number `after`, in order."""
    last = last_number(connection)
    # Unless a writer takes very long, none with a smaller number can come after this.
    upto = max(after, last) if is_settled(connection, events.name) else after
    asked = {"after": after, "upto": upto, "limit": limit}
    found = [event_from(row) for row in connection.execute(_AFTER.where(*_named(names)), asked)]
    is_last = len(found) < max(limit, 1)
    return EventPage(found, upto if is_last else found[-1].seq, is_last)


def newest_events(
    connection: Connection, *, names: Sequence[str], before: int | None = None, limit: int
) -> list[Event]:
    """The newest events, newest first; those with a number below `before` where that is given."""
    newest = _NEWEST if before is None else _NEWEST.where(events.c.seq < before)
    return [event_from(row) for row in connection.execute(newest.where(*_named(names)), {"limit": limit})]


def event_of(connection: Connection, seq: int) -> Event | None:
    """The event of that number, if it is still there."""
    row = connection.execute(_ONE, {"which": seq}).one_or_none()
    return event_from(row) if row is not None else None


def event_from(row: AnyRow) -> Event:
    """The event of a row of its table, joined with the run that it is of."""
    is_of_run = row.resource is None
    related = _related_to_run(row, is_resource=is_of_run) if row.run_id is not None else []
    said = {"by": row.by, "reason": row.reason}
    return Event(
        seq=row.seq,
        id=row.id or uuid5(_NAMED_BY_NUMBER, str(row.seq)),
        at=row.at,
        name=row.name,
        resource=resource("flow-run", row.run_id, row.run_name) if is_of_run else row.resource,
        related=(*([] if is_of_run else row.related), *related),
        payload={
            **(_payload_of_step(row) if is_of_run else row.payload),
            **{name: value for name, value in said.items() if value is not None},
        },
        run_id=row.run_id,
    )


def _related_to_run(row: AnyRow, *, is_resource: bool) -> list[dict[str, str]]:
    """What an event is related to by the run that it is of, or that told of it."""
    related = [] if is_resource else [resource("flow-run", row.run_id, row.run_name, role="flow-run")]
    # One that is called inside another is no run of the deployment.
    if not row.is_nested:
        name = row.deployment.partition("/")[2]
        related.append(resource("deployment", row.deployment_id, name, role="deployment"))
    return [*related, *flow_and_tags(row.flow, row.tags)]


def _payload_of_step(row: AnyRow) -> dict[str, Any]:
    state = row.name.removeprefix(RUNS)
    payload = {"state": state, "attempt": row.attempt, "parameters": row.parameters}
    # What is final stays so: a result that is there is that of this step.
    has_result = row.has_result and state == RunState.COMPLETED
    return {**payload, "result": row.result} if has_result else payload


def _named(names: Sequence[str]) -> list[ColumnElement[bool]]:
    """The condition that an event has one of `names`, which may each be a beginning with `*` behind it."""
    if not names:
        return []
    exact = [name for name in names if not name.endswith("*")]
    begun = [name[:-1] for name in names if name.endswith("*")]
    # Not LIKE, which on some databases does not tell small letters from capitals.
    beginnings = [func.substr(events.c.name, 1, len(beginning)) == beginning for beginning in begun]
    return [or_(events.c.name.in_(exact), *beginnings)]
