"""Cancelling: a wish that a run ends, and what was done about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, null, select, update

from flowsource.errors import InConflict, RunNotFound, Superseded
from flowsource.promotions import Author
from flowsource.runs import Cancellation, CancelPhase, Failure, Run, RunState
from flowsource.store import nesting, steps
from flowsource.store.protocol import Outcome
from flowsource.store.rows import cancellation_json, failure_json, run_from
from flowsource.store.tables import AnyRow, is_in_progress, runs

_CURRENT = select(runs).where(runs.c.id == bindparam("run"))
_ASK = update(runs).where(runs.c.id == bindparam("run")).values(cancellation=bindparam("wish")).returning(*runs.c)
_END = (
    update(runs)
    .where(runs.c.id == bindparam("run"))
    .values(
        state=bindparam("how"),
        cancellation=bindparam("wish"),
        failure=bindparam("why"),
        changed_at=bindparam("at"),
        ended_at=bindparam("at"),
        transition_id=null(),
    )
    .returning(*runs.c)
)
_TO_CANCEL = (
    select(runs)
    .where(runs.c.runner_id == bindparam("runner"), is_in_progress, runs.c.cancellation.is_not(None))
    .order_by(runs.c.id)
)


def ask(connection: Connection, run_id: UUID, author: Author, *, now: datetime) -> Run:
    """End a run that waits or is lost; have its runner end one that goes on."""
    row = _find(connection, run_id)
    run = run_from(row)
    if run.is_nested:
        raise InConflict(f"run {run.name!r} goes on inside run {run.parent_id}; cancel that one.")
    if run.state.is_final or (run.cancellation is not None and run.state is not RunState.LOST):
        return run
    wish = Cancellation(asked_at=now, by=author.by, reason=author.reason)
    asked = {"run": run_id, "wish": cancellation_json(wish)}
    if run.state.is_in_progress and run.state is not RunState.LOST:
        return run_from(connection.execute(_ASK, asked).one())
    why = _why(run.state, wish)
    how = RunState.CRASHED if run.state is RunState.LOST else RunState.CANCELLED
    moved = connection.execute(_END, {**asked, "how": how, "at": now, "why": failure_json(why)}).one()
    steps.remember(connection, [moved], at=now, reason=why.message, by=author.by)
    if run.state is RunState.LOST:
        steps.end_attempt(connection, moved, state=how, failure=why, at=now)
        nesting.end_all(connection, run_id, Outcome(state=how), at=now)
    return run_from(moved)


def note(connection: Connection, run_id: UUID, epoch: int, phase: CancelPhase, *, at: datetime) -> Run:
    """Note the instant of a phase, unless it has one."""
    run = run_from(_find(connection, run_id))
    if run.epoch != epoch:
        raise Superseded(f"run {run.name!r} was claimed again: whatever goes on under the older claim must stop.")
    if run.cancellation is None or getattr(run.cancellation, f"{phase}_at") is not None:
        return run
    instants: dict[str, Any] = {f"{phase}_at": at}
    wish = replace(run.cancellation, **instants)
    return run_from(connection.execute(_ASK, {"run": run_id, "wish": cancellation_json(wish)}).one())


def wanted_of(connection: Connection, runner_id: UUID) -> list[Run]:
    """The runs of a runner that are to end."""
    return [run_from(row) for row in connection.execute(_TO_CANCEL, {"runner": runner_id})]


def _why(state: RunState, wish: Cancellation) -> Failure:
    because = f": {wish.reason}" if wish.reason else ""
    if state is RunState.LOST:
        return Failure(kind="given up", message=f"{wish.by} gave it up while its server was out of sight{because}")
    return Failure(kind="cancelled", message=f"cancelled by {wish.by} before it began{because}")


def _find(connection: Connection, run_id: UUID) -> AnyRow:
    row = connection.execute(_CURRENT, {"run": run_id}).one_or_none()
    if row is None:
        raise RunNotFound(str(run_id))
    return row
