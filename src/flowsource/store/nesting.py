"""Nested runs: flows that were called inside a run, as their parent tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from flowsource.errors import RunNotFound, Superseded
from flowsource.runs import Failure, Run, RunState
from flowsource.store import steps
from flowsource.store.protocol import NestedRun, Outcome
from flowsource.store.rows import failure_json, new_run_columns, run_from
from flowsource.store.tables import AnyRow, insert_unless_there, runs

_PARENT = (
    update(runs)
    .where(runs.c.id == bindparam("run"), runs.c.epoch == bindparam("by_epoch"))
    .values(has_nested=True)
    .returning(*runs.c)
)
_KNOWN = select(runs.c.epoch).where(runs.c.id == bindparam("run"))
_ADD = insert_unless_there(runs)
_END = (
    update(runs)
    .where(runs.c.id == bindparam("which"), runs.c.is_nested, runs.c.state == RunState.RUNNING)
    .values(state=bindparam("how"), changed_at=bindparam("at"), ended_at=bindparam("at"), failure=bindparam("why"))
    .returning(*runs.c)
)
_END_ALL = (
    update(runs)
    .where(runs.c.parent_id == bindparam("of_parent"), runs.c.is_nested, runs.c.state == RunState.RUNNING)
    .values(state=bindparam("how"), changed_at=bindparam("at"), ended_at=bindparam("at"), failure=bindparam("why"))
    .returning(*runs.c)
)


def nest(connection: Connection, run_id: UUID, epoch: int, nested: Sequence[NestedRun]) -> None:
    """Add those that are new, and end those that have ended."""
    parent = connection.execute(_PARENT, {"run": run_id, "by_epoch": epoch}).one_or_none()
    if parent is None:
        if connection.execute(_KNOWN, {"run": run_id}).one_or_none() is None:
            raise RunNotFound(str(run_id))
        raise Superseded(f"run {run_id} was claimed again: whatever goes on under the older claim must stop.")
    for child in nested:
        run = _run_of(parent, child)
        if connection.execute(_ADD, {**new_run_columns(run, None), "started_at": run.started_at}).rowcount:
            steps.remember(connection, [run], at=child.started_at)
        if child.state.is_final:
            ending = {
                "which": child.id,
                "how": child.state,
                "at": child.ended_at,
                "why": failure_json(child.failure),
            }
            reason = child.failure.message if child.failure is not None else None
            ended = connection.execute(_END, ending).all()
            steps.remember(connection, ended, at=child.ended_at or child.started_at, reason=reason)


def end_all(connection: Connection, run_id: UUID, outcome: Outcome, *, at: datetime) -> None:
    """End what still goes on inside a run that has ended itself: nobody will tell of it any more."""
    state = outcome.state if outcome.state is not RunState.COMPLETED else RunState.CRASHED
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
