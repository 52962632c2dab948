"""Marks: what the last change of each connection left behind, so that a commit whose answer was lost can be told."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Column, Connection, DateTime, MetaData, Table, Uuid, bindparam, select, text

metadata = MetaData()
marks = Table(
    "marks",
    metadata,
    Column("connection", Uuid, primary_key=True),
    Column("last", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
# Where nothing was changed there is nothing to be told.
_LEAVE = text(
    "INSERT INTO marks (connection, last, at) "
    "SELECT CAST(:connection AS uuid), CAST(:mark AS uuid), now() WHERE pg_current_xact_id_if_assigned() IS NOT NULL "
    "ON CONFLICT (connection) DO UPDATE SET last = excluded.last, at = excluded.at"
)
# Waits for a change that is just being committed.
_LAST = select(marks.c.last).where(marks.c.connection == bindparam("of")).with_for_update()
_FORGET_OLD = text("DELETE FROM marks WHERE at < now() - interval '1 day'")


class Mark(NamedTuple):
    """What a change leaves behind: under the name of its connection, one that no other has."""

    of: UUID
    last: UUID


def leave(connection: Connection) -> Mark:
    """Leave a mark with the change that goes on, if it changed anything."""
    mark = Mark(connection.info.setdefault("marked", uuid4()), uuid4())
    connection.execute(_LEAVE, {"connection": mark.of, "mark": mark.last})
    return mark


def was_left(connection: Connection, mark: Mark) -> bool:
    """Whether the change of `mark`, the last of its connection, was carried out."""
    return bool(connection.execute(_LAST, {"of": mark.of}).scalar() == mark.last)


def forget_old(connection: Connection) -> None:
    """Forget those that nobody asks for any more."""
    connection.execute(_FORGET_OLD)
