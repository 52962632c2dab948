"""A run, the states it can be in, and the only ways from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from flowsource.errors import InvalidTransition
from flowsource.events import Event
from flowsource.revisions import Revision


class RunState(StrEnum):
    """Where a run is in its life."""

    SCHEDULED = "scheduled"
    CLAIMED = "claimed"
    RUNNING = "running"
    RETRYING = "retrying"
    LOST = "lost"
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

    @property
    def is_waiting(self) -> bool:
        """Whether a runner may claim a run in this state once it is due."""
        return RunState.CLAIMED in TRANSITIONS[self]

    @property
    def is_in_progress(self) -> bool:
        """Whether a run in this state has a runner, and counts against limits."""
        return not (self.is_final or self.is_waiting)


_ENDS = frozenset(
    {RunState.COMPLETED, RunState.FAILED, RunState.TIMED_OUT, RunState.CRASHED, RunState.CANCELLED, RunState.RETRYING}
)
TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.SCHEDULED: frozenset({RunState.CLAIMED, RunState.CANCELLED, RunState.SKIPPED}),
    # Back to waiting only when the runner that claimed it gave it up before it started anything.
    RunState.CLAIMED: frozenset(
        {
            RunState.SCHEDULED,
            RunState.RETRYING,
            RunState.RUNNING,
            RunState.CANCELLED,
            RunState.CRASHED,
            RunState.LOST,
        }
    ),
    RunState.RUNNING: _ENDS | {RunState.LOST},
    # Between two attempts. The next one is claimed as the first one was, and keeps its revision.
    RunState.RETRYING: frozenset({RunState.CLAIMED, RunState.CANCELLED}),
    # Its runner is out of sight. It comes back, says how the run ended or that it never began; or somebody gives it up.
    RunState.LOST: _ENDS | {RunState.RUNNING, RunState.SCHEDULED},
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

    def __str__(self) -> str:
        # Those two kinds are what the state says, and what the message says again.
        return self.message if self.kind in ("cancelled", "timed out") else f"{self.kind}: {self.message}"


class CancelPhase(StrEnum):
    """How far a cancellation has come. That all its processes are gone is told by the state of the run."""

    TOLD = "told"
    SIGNALLED = "signalled"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """Somebody wants a run to end: when it was asked for and by whom, and what was done about it since.

    Its runner is told at `told_at`; the processes of the run are asked to end at `signalled_at` (SIGTERM), and made to
    at `killed_at` (SIGKILL).
    """

    asked_at: datetime
    by: str
    reason: str | None = None
    told_at: datetime | None = None
    signalled_at: datetime | None = None
    killed_at: datetime | None = None

    @property
    def because(self) -> str:
        """The reason as the end of a sentence; "" where none was given."""
        return f": {self.reason}" if self.reason else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One execution of a run, in a process of its own. `state` says how it ended; until then it is that of the run."""

    number: int
    epoch: int
    runner_id: UUID
    claimed_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    state: RunState = RunState.RUNNING
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step in the life of a run, as it was recorded: `by` is who asked for it, where a person did."""

    seq: int
    at: datetime
    state: RunState
    attempt: int
    reason: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a trigger wanted a run: which trigger, as a person would say it, and the event that made it fire, if one did.

    `chain` names the deployments whose runs led to that event, one after the other, the first one first.
    """

    trigger: str
    event: Event | None
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a deployment at one revision. All instants are UTC-aware.

    `deployment` is the full name, `flow/deployment`. `attempt` counts the attempts that were begun, and the next one
    may begin at `due_at`. `epoch` grows with each claim and fences off older claims. `revision` is fixed when the run
    is first claimed; `claimed_at` and `started_at` are of the last attempt, and `failure` is of the last that ended.
    `result` is a JSON value (`has_result` tells None from nothing); `result_note` says what the flow returned when that
    could not be kept.

    One that a trigger wanted has a `cause`. A run that another one asked for has that as its `parent_id`. One that
    `is_nested` is a flow that was called inside its parent, in the process of that: nobody claims it, and it counts
    against no limit. `flow` names the flow. One that does again what another did has that as its `rerun_of`, which may
    be gone; where it `keeps_revision`, that of the other was fixed from the beginning.
    """

    id: UUID
    name: str
    deployment_id: UUID
    deployment: str
    flow: str = ""
    state: RunState
    scheduled_at: datetime
    due_at: datetime
    created_at: datetime
    changed_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    schedule: str | None = None
    cause: Cause | None = None
    rerun_of: UUID | None = None
    keeps_revision: bool = False
    parent_id: UUID | None = None
    is_nested: bool = False
    attempt: int = 0
    epoch: int = 0
    runner_id: UUID | None = None
    revision: Revision | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancellation: Cancellation | None = None
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
