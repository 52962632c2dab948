"""Moving a run from one state to the next, by the table in `flowsource.runs`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Update, bindparam, case, exists, literal_column, null, select, update

from flowsource.errors import InvalidInput, InvalidTransition
from flowsource.runs import Run, RunState
from flowsource.store import nesting, steps
from flowsource.store.cancelling import before_it_began
from flowsource.store.owning import get_owned_row, get_row, hold_row
from flowsource.store.rows import failure_json, run_from
from flowsource.store.tables import AnyRow, attempts, may_become, runners, runs
from flowsource.store.values import Outcome

_IS_RETRY = runs.c.attempt > 1
# What is fixed by the claim is fixed no more.
_KEEPS_REVISION = _IS_RETRY | runs.c.keeps_revision.is_(True)


def _move(to: RunState, **values: Any) -> Update:
    """The statement that moves a run to `to` if the table lets it, and if the claim that asks still owns it."""
    return (
        update(runs)
        .where(runs.c.id == bindparam("run"), runs.c.epoch == bindparam("by_epoch"), may_become(to))
        .values(**{"state": to, "changed_at": bindparam("at"), "transition_id": bindparam("transition"), **values})
        .returning(*runs.c)
    )


# Of a run that is lost it is kept that it began. It is found again when its runner is (see `presence.find_again`):
# until then whoever looks would take it for one that was left behind.
_IS_OUT_OF_SIGHT = (runs.c.state == literal_column(f"'{RunState.LOST}'")) & ~exists().where(
    runners.c.id == runs.c.runner_id
)
_START = _move(
    RunState.RUNNING,
    started_at=bindparam("at"),
    state=case((_IS_OUT_OF_SIGHT, RunState.LOST.value), else_=RunState.RUNNING.value),
    # One that stays lost could move by the same report again.
).where(runs.c.transition_id.is_distinct_from(bindparam("transition")))
# The epoch stays spent.
_RELEASE = _move(
    RunState.SCHEDULED,
    state=case((_IS_RETRY, RunState.RETRYING.value), else_=RunState.SCHEDULED.value),
    **{
        name: case((_KEEPS_REVISION, runs.c[name]), else_=null())
        for name in ("revision", "revision_id", "revision_commit")
    },
    attempt=runs.c.attempt - 1,
    runner_id=null(),
    claimed_at=null(),
).where(runs.c.started_at.is_(None))
_FINISH = {
    state: _move(
        state,
        ended_at=bindparam("at"),
        failure=bindparam("why"),
        has_result=bindparam("gave_result"),
        result=bindparam("gave"),
    )
    for state in RunState
    if state.is_final
}
_RETRY = _move(RunState.RETRYING, due_at=bindparam("due"), failure=bindparam("why"))
_RENAME = (
    update(runs)
    .where(runs.c.id == bindparam("run"), runs.c.epoch == bindparam("by_epoch"))
    .values(name=bindparam("to"))
    .returning(*runs.c)
)
_ENDED_BY = select(attempts.c.number).where(
    attempts.c.run_id == bindparam("run"), attempts.c.transition_id == bindparam("transition")
)


def start(connection: Connection, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
    """From claimed, or from lost, to running."""
    asked = {"run": run_id, "by_epoch": epoch, "at": at, "transition": transition_id}
    moved = _apply(connection, _START, asked)
    return run_from(moved or _already_moved(connection, RunState.RUNNING, asked))


def release(connection: Connection, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
    """From claimed back to where it waited, as if it had not been claimed; or to its end, where that is wanted."""
    run = run_from(hold_row(connection, run_id))
    if run.cancellation is not None:
        # Nobody would hear of it once more: a run that waits is cancelled at once, so it may not wait.
        outcome = Outcome(state=RunState.CANCELLED, failure=before_it_began(run.cancellation))
        return finish(connection, run_id, epoch, outcome, at=at, transition_id=transition_id)
    asked = {"run": run_id, "by_epoch": epoch, "at": at, "transition": transition_id}
    moved = _apply(connection, _RELEASE, asked, reason="its server gave it back before it began")
    if moved is None:
        return run_from(_already_moved(connection, RunState.SCHEDULED, asked))
    if moved.has_nested:
        nesting.end_all(connection, run_id, RunState.CRASHED, at=at)
    return run_from(moved)


def finish(
    connection: Connection,
    run_id: UUID,
    epoch: int,
    outcome: Outcome,
    *,
    at: datetime,
    transition_id: UUID,
    began_at: datetime | None = None,
) -> Run:
    """To the final state of `outcome`, or to wait for another attempt; first to running, if it is still to be told."""
    if not outcome.state.is_final:
        raise InvalidInput(f"outcome: {outcome.state} is not a state in which a run ends")
    asked = {"run": run_id, "by_epoch": epoch, "at": at, "transition": transition_id}
    if began_at is not None:
        _apply(connection, _START, {**asked, "at": began_at})
    why = failure_json(outcome.failure)
    reason = outcome.failure.message if outcome.failure is not None else None
    to = outcome.state
    if outcome.retry_at is not None:
        is_to_end = hold_row(connection, run_id).cancellation is not None
        to = RunState.CANCELLED if is_to_end else RunState.RETRYING
    if to is RunState.RETRYING:
        moved = _apply(connection, _RETRY, {**asked, "why": why, "due": outcome.retry_at}, reason=reason)
    else:
        given = {"why": why, "gave_result": outcome.has_result, "gave": outcome.result}
        moved = _apply(connection, _FINISH[to], {**asked, **given}, reason=reason)
    if moved is None:
        return run_from(_already_moved(connection, to, asked))
    steps.end_attempt(
        connection, moved, state=outcome.state, failure=outcome.failure, at=at, transition_id=transition_id
    )
    if moved.has_nested:
        nesting.end_all(connection, run_id, outcome.state, at=at)
    return run_from(moved)


def rename(connection: Connection, run_id: UUID, epoch: int, name: str) -> Run:
    """Give a run another name."""
    renamed = connection.execute(_RENAME, {"run": run_id, "by_epoch": epoch, "to": name}).one_or_none()
    return run_from(renamed or get_owned_row(connection, run_id, epoch))


def _apply(
    connection: Connection, move: Update, asked: Mapping[str, Any], *, reason: str | None = None
) -> AnyRow | None:
    """The run as this moved it, or None where it could not."""
    moved = connection.execute(move, asked).one_or_none()
    if moved is not None and moved.state != RunState.LOST:
        wish = moved.cancellation
        by = wish["by"] if moved.state == RunState.CANCELLED and wish is not None else None
        steps.remember(connection, [moved], at=asked["at"], reason=reason, by=by)
    return moved


def _already_moved(connection: Connection, to: RunState, asked: Mapping[str, Any]) -> AnyRow:
    """The run by now, if this very transition was made before; raises where it was another, or none."""
    row = get_row(connection, asked["run"])
    this = {"run": asked["run"], "transition": asked["transition"]}
    if row.transition_id == this["transition"] or connection.execute(_ENDED_BY, this).first() is not None:
        return row
    get_owned_row(connection, asked["run"], asked["by_epoch"])
    raise InvalidTransition(row.state, to)
