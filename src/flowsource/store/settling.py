"""Numbers that several writers take at once: nobody looks past one before those who took smaller ones have ended."""

from __future__ import annotations

from time import monotonic, sleep

from sqlalchemy import Connection, text

from flowsource.store.database import has_other_writers

# Whoever inserts holds this lock on the table from before he takes a number until his transaction has ended.
_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE relation = CAST(:of AS regclass) AND mode = 'RowExclusiveLock' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()"
)
_PATIENCE = 1.0  # s; a write takes some milliseconds
_LOOK_EVERY = 0.002  # s


def is_settled(connection: Connection, table: str) -> bool:
    """Whether all that took a number in `table` before this was called has come to an end, after a moment's wait."""
    if not has_other_writers(connection):
        return True
    deadline = monotonic() + _PATIENCE
    waited_for = set(connection.execute(_WRITERS, {"of": table}).scalars())
    while waited_for:
        if monotonic() > deadline:
            return False
        sleep(_LOOK_EVERY)
        waited_for &= set(connection.execute(_WRITERS, {"of": table}).scalars())
    return True
