"""A run, the states it can be in, and the only ways from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from flowsource.errors import InvalidTransition
from flowsource.revisions import Revision


class RunState(StrEnum):
    """Where a run is in its life."""

    SCHEDULED = "scheduled"
    CLAIMED = "claimed"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Whether a run in this state stays in it for good."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.SCHEDULED: frozenset({RunState.CLAIMED, RunState.CANCELLED, RunState.SKIPPED}),
    # Back to scheduled only when the runner that claimed it gave it up before it started anything.
    RunState.CLAIMED: frozenset({RunState.SCHEDULED, RunState.RUNNING, RunState.CANCELLED, RunState.CRASHED}),
    RunState.RUNNING: frozenset(
        {RunState.COMPLETED, RunState.FAILED, RunState.TIMED_OUT, RunState.CRASHED, RunState.CANCELLED}
    ),
    RunState.COMPLETED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.TIMED_OUT: frozenset(),
    RunState.CRASHED: frozenset(),
    RunState.CANCELLED: frozenset(),
    RunState.SKIPPED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run did not complete: `kind` is an exception's type or a reason of ours, `traceback` is text or ""."""

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a deployment at one revision. All instants are UTC-aware.

    `deployment` is the full name, `flow/deployment`. `epoch` grows with each claim and fences off older claims.
    `revision` is fixed when the run is claimed. `result` is a JSON value (`has_result` tells None from nothing);
    `result_note` says what the flow returned when that could not be kept.
    """

    id: UUID
    name: str
    deployment_id: UUID
    deployment: str
    state: RunState
    scheduled_at: datetime
    created_at: datetime
    changed_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    schedule: str | None = None
    epoch: int = 0
    runner_id: UUID | None = None
    revision: Revision | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failure: Failure | None = None
    has_result: bool = False
    result: Any = None
    result_note: str | None = None


def transition(run: Run, to: RunState, *, at: datetime) -> Run:
    """`run` in the state `to`, with the instants that go with it; raises InvalidTransition where no way leads there."""
    if to not in TRANSITIONS[run.state]:
        raise InvalidTransition(run.state, to)
    run = replace(run, state=to, changed_at=at)
    if to is RunState.CLAIMED:
        return replace(run, claimed_at=at)
    if to is RunState.RUNNING:
        return replace(run, started_at=at)
    return replace(run, ended_at=at) if to.is_final else run
