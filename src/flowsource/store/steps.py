"""The life of a run as it is kept: every step it took, and every attempt that has ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select

from flowsource.event_names import RUNS
from flowsource.runs import Attempt, Failure, Run, RunState, Transition
from flowsource.store.owning import get_row
from flowsource.store.rows import (
    attempt_columns,
    attempt_from,
    failure_json,
    run_from,
    transition_columns,
    transition_from,
)
from flowsource.store.tables import AnyRow, attempts, events, insert_unless_there

_STEP = insert(events)
# A run may tell events of its own.
_IS_STEP = events.c.name.startswith(RUNS, autoescape=True)
_STEPS = select(events).where(events.c.run_id == bindparam("run"), _IS_STEP).order_by(events.c.seq)
_ATTEMPTS = select(attempts).where(attempts.c.run_id == bindparam("run")).order_by(attempts.c.number)


def remember(
    connection: Connection,
    moved: Iterable[Run | AnyRow],
    *,
    at: datetime,
    reason: str | None = None,
    by: str | None = None,
) -> None:
    """Keep that these runs have come to the states they are in, and why."""
    if steps := [transition_columns(run, at=at, reason=reason, by=by) for run in moved]:
        connection.execute(_STEP, steps)


def end_attempt(
    connection: Connection,
    run: AnyRow,
    *,
    state: RunState,
    failure: Failure | None,
    at: datetime,
    transition_id: UUID | None = None,
) -> None:
    """Keep how the last attempt of `run` ended, if it had begun one."""
    if run.runner_id is not None:
        said = attempt_columns(run, state=state, failure=failure_json(failure), at=at, transition_id=transition_id)
        connection.execute(insert_unless_there(connection, attempts), said)


def of_run(connection: Connection, run_id: UUID) -> list[Transition]:
    """The steps in the life of a run, in order; raises RunNotFound."""
    get_row(connection, run_id)
    return [transition_from(row) for row in connection.execute(_STEPS, {"run": run_id})]


def attempts_of(connection: Connection, run_id: UUID) -> list[Attempt]:
    """The attempts of a run, with the one that goes on, in order; raises RunNotFound."""
    run = run_from(get_row(connection, run_id))
    ended = [attempt_from(row) for row in connection.execute(_ATTEMPTS, {"run": run_id})]
    if not run.state.is_in_progress or run.runner_id is None or run.claimed_at is None:
        return ended
    going_on = Attempt(
        number=run.attempt,
        epoch=run.epoch,
        runner_id=run.runner_id,
        claimed_at=run.claimed_at,
        started_at=run.started_at,
        state=run.state,
    )
    return [*ended, going_on]
