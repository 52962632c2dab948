"""Promotion: each decision and each act of a person is one transaction, and leaves a history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from flowsource.deployments import Deployment
from flowsource.promotions import Act, Author, Decision, HistoryEntry
from flowsource.standing import Standing, after_act, after_decision
from flowsource.store import telling
from flowsource.store.standing_rows import entry_columns, entry_from, standing_columns
from flowsource.store.tables import deployments, promotions
from flowsource.store.values import HISTORY_KEPT

_CHANGE = update(deployments).where(deployments.c.id == bindparam("which"))
_LAST = select(func.coalesce(func.max(promotions.c.seq), 0)).where(promotions.c.deployment_id == bindparam("of"))
_FORGET = delete(promotions).where(promotions.c.deployment_id == bindparam("of"), promotions.c.seq <= bindparam("upto"))
_NEWEST = (
    select(promotions)
    .where(promotions.c.deployment_id == bindparam("of"))
    .order_by(promotions.c.seq.desc())
    .limit(bindparam("limit"))
)


def decide(connection: Connection, before: Deployment, decision: Decision, *, now: datetime) -> Deployment:
    """`before`, as this transaction read it, after `decision`."""
    return _keep(connection, after_decision(before, decision, now=now))


def act(connection: Connection, before: Deployment, act: Act, author: Author, *, now: datetime) -> Deployment:
    """`before`, as this transaction read it, after what a person did."""
    return _keep(connection, after_act(before, act, author, now=now))


def remember(connection: Connection, deployment_id: UUID, entries: Sequence[HistoryEntry]) -> None:
    """Add to the history of a deployment, and let go of its oldest entries; each is an event too."""
    if not entries:
        return
    telling.tell_history(connection, deployment_id, entries)
    last = connection.execute(_LAST, {"of": deployment_id}).scalar_one()
    rows = [entry_columns(deployment_id, entry) | {"seq": last + place} for place, entry in enumerate(entries, 1)]
    connection.execute(insert(promotions), rows)
    connection.execute(_FORGET, {"of": deployment_id, "upto": last + len(rows) - HISTORY_KEPT})


def history(connection: Connection, deployment_id: UUID, *, limit: int) -> list[HistoryEntry]:
    """The newest entries of the history of a deployment, newest first."""
    return [entry_from(row) for row in connection.execute(_NEWEST, {"of": deployment_id, "limit": limit})]


def _keep(connection: Connection, standing: Standing) -> Deployment:
    after, entries = standing
    connection.execute(_CHANGE.values(**standing_columns(after)), {"which": after.id})
    remember(connection, after.id, entries)
    return after
