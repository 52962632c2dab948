"""Moving a run from one state to the next, by the table in `flowsource.runs`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Update, bindparam, null, select, update

from flowsource.errors import InvalidTransition, RunNotFound, Superseded
from flowsource.runs import TRANSITIONS, Run, RunState
from flowsource.store.protocol import Outcome
from flowsource.store.rows import failure_json, run_from
from flowsource.store.tables import AnyRow, runs


def _move(to: RunState, **values: Any) -> Update:
    """The statement that moves a run to `to` if the table lets it, and if the claim that asks still owns it."""
    sources = [state for state, ways in TRANSITIONS.items() if to in ways]
    return (
        update(runs)
        .where(runs.c.id == bindparam("run"), runs.c.epoch == bindparam("by_epoch"), runs.c.state.in_(sources))
        .values(state=to, changed_at=bindparam("at"), transition_id=bindparam("transition"), **values)
        .returning(*runs.c)
    )


_START = _move(RunState.RUNNING, started_at=bindparam("at"))
_RELEASE = _move(RunState.SCHEDULED, runner_id=null(), revision=null(), claimed_at=null())
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
_CURRENT = select(runs).where(runs.c.id == bindparam("run"))


def start(connection: Connection, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
    """From claimed to running."""
    asked = {"run": run_id, "by_epoch": epoch, "at": at, "transition": transition_id}
    return _apply(connection, _START, RunState.RUNNING, asked)


def release(connection: Connection, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
    """From claimed back to scheduled, as if it had not been claimed; the epoch stays spent."""
    asked = {"run": run_id, "by_epoch": epoch, "at": at, "transition": transition_id}
    return _apply(connection, _RELEASE, RunState.SCHEDULED, asked)


def finish(
    connection: Connection, run_id: UUID, epoch: int, outcome: Outcome, *, at: datetime, transition_id: UUID
) -> Run:
    """To the final state of `outcome`."""
    if not outcome.state.is_final:
        raise ValueError(f"{outcome.state} is not a state in which a run ends")
    asked = {
        "run": run_id,
        "by_epoch": epoch,
        "at": at,
        "transition": transition_id,
        "why": failure_json(outcome.failure),
        "gave_result": outcome.has_result,
        "gave": outcome.result,
    }
    return _apply(connection, _FINISH[outcome.state], outcome.state, asked)


def _apply(connection: Connection, move: Update, to: RunState, asked: Mapping[str, Any]) -> Run:
    moved = connection.execute(move, asked).one_or_none()
    return run_from(moved if moved is not None else _already_moved(connection, to, asked))


def _already_moved(connection: Connection, to: RunState, asked: Mapping[str, Any]) -> AnyRow:
    """The run as this very transition left it; raises where it was another, or none."""
    row = connection.execute(_CURRENT, {"run": asked["run"]}).one_or_none()
    if row is None:
        raise RunNotFound(str(asked["run"]))
    if row.epoch != asked["by_epoch"]:
        raise Superseded(
            f"run {row.name!r} was claimed again (claim {row.epoch}, this is claim {asked['by_epoch']}): "
            "whatever goes on under the older claim must stop."
        )
    if row.transition_id != asked["transition"]:
        raise InvalidTransition(row.state, to)
    return row
