"""Runs that wait for runs: as long as one does, its place is for others, that which it waits for among them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, exists, select

from flowsource.store.owning import get_row
from flowsource.store.tables import insert_unless_there, is_in_progress, is_not_final, runs, waits
from flowsource.store.values import Claim

_awaited = runs.alias("awaited")
# By its claim: what an earlier attempt waited for is nothing to this one.
waits_for_another = exists().where(
    waits.c.run_id == runs.c.id,
    waits.c.epoch == runs.c.epoch,
    waits.c.awaited_id == _awaited.c.id,
    is_not_final(_awaited),
)

_END = delete(waits).where(
    waits.c.run_id == bindparam("run"), waits.c.epoch == bindparam("by_epoch"), waits.c.awaited_id == bindparam("other")
)
_WAITING = select(runs.c.id).where(runs.c.runner_id == bindparam("runner"), is_in_progress, waits_for_another)


def begin(connection: Connection, waiter: Claim, awaited_id: UUID) -> None:
    """The run of `waiter` waits for that one; raises RunNotFound where it is not there itself."""
    run_id, epoch = waiter
    get_row(connection, run_id)
    connection.execute(
        insert_unless_there(connection, waits), {"run_id": run_id, "epoch": epoch, "awaited_id": awaited_id}
    )


def end(connection: Connection, waiter: Claim, awaited_id: UUID) -> None:
    """The run of `waiter` waits for that one no longer."""
    run_id, epoch = waiter
    connection.execute(_END, {"run": run_id, "by_epoch": epoch, "other": awaited_id})


def waiting_of(connection: Connection, runner_id: UUID) -> set[UUID]:
    """The runs of a runner that wait for others."""
    return set(connection.execute(_WAITING, {"runner": runner_id}).scalars())
