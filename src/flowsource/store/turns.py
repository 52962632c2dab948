"""Chores that one process at a time does, whoever of them comes first."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, update

from flowsource.store.tables import insert_unless_there, turns

_TAKE = (
    update(turns)
    .where(
        turns.c.chore == bindparam("which"),
        # One that ends later than any of ours was taken by a clock that is ahead.
        (turns.c.until <= bindparam("now")) | (turns.c.until > bindparam("longest")),
    )
    .values(until=bindparam("end"))
)


def take(connection: Connection, chore: str, *, now: datetime, length: timedelta) -> bool:
    """Take the turn at `chore` for so long; whether it was free."""
    connection.execute(insert_unless_there(connection, turns), {"chore": chore, "until": now})
    asked = {"which": chore, "now": now, "longest": now + 2 * length, "end": now + length}
    return connection.execute(_TAKE, asked).rowcount > 0
