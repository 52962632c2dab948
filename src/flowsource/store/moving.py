"""Moving a run from one state to the next, by the table in `flowsource.runs`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Update, bindparam, case, null, select, update

from flowsource.errors import InvalidTransition, RunNotFound, Superseded
from flowsource.runs import TRANSITIONS, Run, RunState
from flowsource.store import nesting, steps
from flowsource.store.protocol import Outcome
from flowsource.store.rows import failure_json, run_from
from flowsource.store.tables import AnyRow, runs

_IS_RETRY = runs.c.attempt > 1


def _move(to: RunState, **values: Any) -> Update:
    """The statement that moves a run to `to` if the table lets it, and if the claim that asks still owns it."""
    return (
        update(runs)
        .where(runs.c.id == bindparam("run"), runs.c.epoch == bindparam("by_epoch"), runs.c.state.in_(_before(to)))
        .values(**{"state": to, "changed_at": bindparam("at"), "transition_id": bindparam("transition"), **values})
        .returning(*runs.c)
    )


def _before(to: RunState) -> list[RunState]:
    return [state for state, ways in TRANSITIONS.items() if to in ways]


_START = _move(RunState.RUNNING, started_at=bindparam("at"))
# The epoch stays spent.
_RELEASE = _move(
    RunState.SCHEDULED,
    state=case((_IS_RETRY, RunState.RETRYING.value), else_=RunState.SCHEDULED.value),
    revision=case((_IS_RETRY, runs.c.revision), else_=null()),
    attempt=runs.c.attempt - 1,
    runner_id=null(),
    claimed_at=null(),
)
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
_CURRENT = select(runs).where(runs.c.id == bindparam("run"))


def start(connection: Connection, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
    """From claimed to running."""
    asked = {"run": run_id, "by_epoch": epoch, "at": at, "transition": transition_id}
    moved = _apply(connection, _START, RunState.RUNNING, asked)
    return run_from(moved or _already_moved(connection, RunState.RUNNING, asked))


def release(connection: Connection, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
    """From claimed back to where it waited, as if it had not been claimed."""
    asked = {"run": run_id, "by_epoch": epoch, "at": at, "transition": transition_id}
    moved = _apply(connection, _RELEASE, RunState.SCHEDULED, asked, reason="its server stopped before it began")
    return run_from(moved or _already_moved(connection, RunState.SCHEDULED, asked))


def finish(
    connection: Connection, run_id: UUID, epoch: int, outcome: Outcome, *, at: datetime, transition_id: UUID
) -> Run:
    """To the final state of `outcome`, or to wait for another attempt."""
    if not outcome.state.is_final:
        raise ValueError(f"{outcome.state} is not a state in which a run ends")
    asked: dict[str, Any] = {
        "run": run_id,
        "by_epoch": epoch,
        "at": at,
        "transition": transition_id,
        "why": failure_json(outcome.failure),
    }
    reason = outcome.failure.message if outcome.failure is not None else None
    if outcome.retry_at is not None:
        to = RunState.CANCELLED if _is_to_end(connection, run_id) else RunState.RETRYING
    else:
        to = outcome.state
    if to is RunState.RETRYING:
        moved = _apply(connection, _RETRY, to, {**asked, "due": outcome.retry_at}, reason=reason)
    else:
        given = {"gave_result": outcome.has_result, "gave": outcome.result}
        moved = _apply(connection, _FINISH[to], to, {**asked, **given}, reason=reason)
    if moved is None:
        return run_from(_already_moved(connection, to, asked))
    steps.end_attempt(connection, moved, state=outcome.state, failure=outcome.failure, at=at)
    if moved.has_nested:
        nesting.end_all(connection, run_id, outcome, at=at)
    return run_from(moved)


def rename(connection: Connection, run_id: UUID, epoch: int, name: str) -> Run:
    """Give a run another name."""
    asked = {"run": run_id, "by_epoch": epoch, "to": name}
    renamed = connection.execute(_RENAME, asked).one_or_none()
    return run_from(renamed if renamed is not None else _owned(connection, asked))


def _is_to_end(connection: Connection, run_id: UUID) -> bool:
    row = connection.execute(_CURRENT, {"run": run_id}).one_or_none()
    return row is not None and row.cancellation is not None


def _apply(
    connection: Connection, move: Update, to: RunState, asked: Mapping[str, Any], *, reason: str | None = None
) -> AnyRow | None:
    """The run as this moved it, or None where it could not."""
    moved = connection.execute(move, asked).one_or_none()
    if moved is not None:
        steps.remember(connection, [moved], at=asked["at"], reason=reason)
    return moved


def _already_moved(connection: Connection, to: RunState, asked: Mapping[str, Any]) -> AnyRow:
    """The run as this very transition left it; raises where it was another, or none."""
    row = _owned(connection, asked)
    if row.transition_id != asked["transition"]:
        raise InvalidTransition(row.state, to)
    return row


def _owned(connection: Connection, asked: Mapping[str, Any]) -> AnyRow:
    """The run, if the claim that asks still owns it."""
    row = connection.execute(_CURRENT, {"run": asked["run"]}).one_or_none()
    if row is None:
        raise RunNotFound(str(asked["run"]))
    if row.epoch != asked["by_epoch"]:
        raise Superseded(
            f"run {row.name!r} was claimed again (claim {row.epoch}, this is claim {asked['by_epoch']}): "
            "whatever goes on under the older claim must stop."
        )
    return row
