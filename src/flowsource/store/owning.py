"""The row of a run, and whether a claim still owns it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, select

from flowsource.errors import RunNotFound, Superseded
from flowsource.store.tables import AnyRow, runs

_CURRENT = select(runs).where(runs.c.id == bindparam("run"))
# Those who only refer to the run, as lines of its log do, are not held up.
_HELD = _CURRENT.with_for_update(key_share=True)


def get_row(connection: Connection, run_id: UUID) -> AnyRow:
    """The row of that run; raises RunNotFound."""
    return _found(connection, _CURRENT, run_id)


def hold_row(connection: Connection, run_id: UUID) -> AnyRow:
    """The row of that run, which nobody else changes before this transaction ends; raises RunNotFound."""
    return _found(connection, _HELD, run_id)


def get_owned_row(connection: Connection, run_id: UUID, epoch: int) -> AnyRow:
    """The row of that run, held, if the claim that asks still owns it; raises Superseded, or RunNotFound."""
    row = hold_row(connection, run_id)
    if row.epoch != epoch:
        raise Superseded(
            f"run {row.name!r} was claimed again (claim {row.epoch}, this is claim {epoch}): "
            "whatever goes on under the older claim must stop."
        )
    return row


def _found(connection: Connection, wanted: Select[Any], run_id: UUID) -> AnyRow:
    row = connection.execute(wanted, {"run": run_id}).one_or_none()
    if row is None:
        raise RunNotFound(str(run_id))
    return row
