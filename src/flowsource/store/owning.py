"""The row of a run, and whether a claim still owns it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from flowsource.errors import RunNotFound, Superseded
from flowsource.store.tables import AnyRow, runs

_CURRENT = select(runs).where(runs.c.id == bindparam("run"))


def get_row(connection: Connection, run_id: UUID) -> AnyRow:
    """The row of that run; raises RunNotFound."""
    row = connection.execute(_CURRENT, {"run": run_id}).one_or_none()
    if row is None:
        raise RunNotFound(str(run_id))
    return row


def get_owned_row(connection: Connection, run_id: UUID, epoch: int) -> AnyRow:
    """The row of that run, if the claim that asks still owns it; raises Superseded, or RunNotFound."""
    row = get_row(connection, run_id)
    if row.epoch != epoch:
        raise Superseded(
            f"run {row.name!r} was claimed again (claim {row.epoch}, this is claim {epoch}): "
            "whatever goes on under the older claim must stop."
        )
    return row
