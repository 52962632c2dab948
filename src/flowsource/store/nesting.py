"""Nested runs: flows that were called inside a run, as their parent tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, update

from flowsource.errors import Superseded
from flowsource.runs import Failure, Run, RunState
from flowsource.store import steps, tagging
from flowsource.store.owning import get_owned_row
from flowsource.store.rows import failure_json, new_run_columns, run_from
from flowsource.store.tables import AnyRow, insert_unless_there, is_in_progress, runs
from flowsource.store.values import NestedRun

_PARENT = (
    update(runs)
    .where(runs.c.id == bindparam("run"), runs.c.epoch == bindparam("by_epoch"), is_in_progress)
    .values(has_nested=True)
    .returning(*runs.c)
)
_END_ALL = (
    update(runs)
    .where(runs.c.parent_id == bindparam("of_parent"), runs.c.is_nested, runs.c.state == RunState.RUNNING)
    .values(state=bindparam("how"), changed_at=bindparam("at"), ended_at=bindparam("at"), failure=bindparam("why"))
    .returning(*runs.c)
)
_END = _END_ALL.where(runs.c.id == bindparam("which"))


def nest(connection: Connection, run_id: UUID, epoch: int, nested: Sequence[NestedRun]) -> None:
    """Add those that are new, and end those that have ended."""
    parent = connection.execute(_PARENT, {"run": run_id, "by_epoch": epoch}).one_or_none()
    if parent is None:
        ended = get_owned_row(connection, run_id, epoch)
        raise Superseded(f"run {ended.name!r} is {ended.state}: whatever still goes on of it must stop.")
    for child in nested:
        run = _run_of(parent, child)
        if connection.execute(insert_unless_there(connection, runs), new_run_columns(run, None)).rowcount:
            tagging.keep(connection, run)
            steps.remember(connection, [run], at=child.started_at)
        if child.state.is_final:
            at = child.ended_at or child.started_at
            why = failure_json(child.failure)
            ending = {"of_parent": run_id, "which": child.id, "how": child.state, "at": at, "why": why}
            reason = child.failure.message if child.failure is not None else None
            steps.remember(connection, connection.execute(_END, ending).all(), at=at, reason=reason)


def end_all(connection: Connection, run_id: UUID, state: RunState, *, at: datetime) -> None:
    """End what still goes on inside a run, an attempt of which has ended in `state`: nobody will tell of it."""
    if state is RunState.COMPLETED:
        state = RunState.CRASHED
    why = Failure(kind="parent", message="the run that it was part of ended")
    ended = connection.execute(_END_ALL, {"of_parent": run_id, "how": state, "at": at, "why": failure_json(why)}).all()
    steps.remember(connection, ended, at=at, reason=why.message)


def _run_of(parent: AnyRow, child: NestedRun) -> Run:
    of = run_from(parent)
    return Run(
        id=child.id,
        name=child.name,
        deployment_id=of.deployment_id,
        deployment=of.deployment,
        flow=child.flow,
        state=RunState.RUNNING,
        scheduled_at=child.started_at,
        due_at=child.started_at,
        created_at=child.started_at,
        changed_at=child.started_at,
        parameters=child.parameters,
        tags=of.tags,
        parent_id=of.id,
        is_nested=True,
        attempt=1,
        revision=of.revision,
        started_at=child.started_at,
    )
