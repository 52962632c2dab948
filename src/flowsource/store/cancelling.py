"""Cancelling: a wish that a run ends, and what was done about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Update, bindparam, null, select, update

from flowsource.errors import InConflict
from flowsource.promotions import Author
from flowsource.runs import Cancellation, CancelPhase, Failure, Run, RunState
from flowsource.store import nesting, steps
from flowsource.store.owning import get_owned_row, hold_row
from flowsource.store.rows import cancellation_json, failure_json, run_from
from flowsource.store.tables import is_in_progress, may_become, runs

_NOTE = (
    update(runs)
    .where(runs.c.id == bindparam("run"), is_in_progress)
    .values(cancellation=bindparam("wish"))
    .returning(*runs.c)
)
_TO_CANCEL = (
    select(runs)
    .where(runs.c.runner_id == bindparam("runner"), is_in_progress, runs.c.cancellation.is_not(None))
    .order_by(runs.c.id)
)


def _end(to: RunState) -> Update:
    return (
        update(runs)
        .where(runs.c.id == bindparam("run"), may_become(to))
        .values(
            state=to,
            cancellation=bindparam("wish"),
            failure=bindparam("why"),
            changed_at=bindparam("at"),
            ended_at=bindparam("at"),
            transition_id=null(),
        )
        .returning(*runs.c)
    )


_CANCEL, _GIVE_UP = _end(RunState.CANCELLED), _end(RunState.CRASHED)


def ask(connection: Connection, run_id: UUID, author: Author, *, now: datetime) -> Run:
    """End a run that waits or is lost; have its runner end one that goes on."""
    run = run_from(hold_row(connection, run_id))
    if run.is_nested:
        raise InConflict(f"run {run.name!r} goes on inside run {run.parent_id}; cancel that one.")
    if run.state.is_final or (run.cancellation is not None and run.state is not RunState.LOST):
        return run
    wish = Cancellation(asked_at=now, by=author.by, reason=author.reason)
    asked = {"run": run_id, "wish": cancellation_json(wish)}
    if run.state.is_waiting:
        why = before_it_began(wish)
        moved = connection.execute(_CANCEL, {**asked, "at": now, "why": failure_json(why)}).one()
    elif run.state is RunState.LOST:
        why = _given_up(wish)
        moved = connection.execute(_GIVE_UP, {**asked, "at": now, "why": failure_json(why)}).one()
        steps.end_attempt(connection, moved, state=RunState.CRASHED, failure=why, at=now)
        nesting.end_all(connection, run_id, RunState.CRASHED, at=now)
    else:
        return run_from(connection.execute(_NOTE, asked).one())
    steps.remember(connection, [moved], at=now, reason=why.message, by=author.by)
    return run_from(moved)


def note(connection: Connection, run_id: UUID, epoch: int, phase: CancelPhase, *, at: datetime) -> Run:
    """Note the instant of a phase, unless it has one or the run has ended."""
    run = run_from(get_owned_row(connection, run_id, epoch))
    wish = run.cancellation
    if wish is None or not run.state.is_in_progress or getattr(wish, f"{phase}_at") is not None:
        return run
    instants: dict[str, Any] = {f"{phase}_at": at}
    noted = cancellation_json(replace(wish, **instants))
    return run_from(connection.execute(_NOTE, {"run": run_id, "wish": noted}).one())


def wanted_of(connection: Connection, runner_id: UUID) -> list[Run]:
    """The runs of a runner that are to end."""
    return [run_from(row) for row in connection.execute(_TO_CANCEL, {"runner": runner_id})]


def before_it_began(wish: Cancellation) -> Failure:
    """Why a run ended that was waiting, or that nothing was started of."""
    return Failure(kind="cancelled", message=f"cancelled by {wish.by} before it began{wish.because}")


def _given_up(wish: Cancellation) -> Failure:
    message = f"{wish.by} gave it up while its server was out of sight{wish.because}"
    return Failure(kind="given up", message=message)
