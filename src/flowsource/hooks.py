"""What a flow's hooks are called with: the run, and the state that it came to."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from flowsource.revisions import Revision

# On what occasions a flow may be called back, in the order of a run's life; each has a decorator `on_...`.
OCCASIONS = ("running", "completion", "failure", "cancellation", "crashed")

# Which of them it is for a run to come to a state, by the type of that.
OCCASION_OF: Mapping[str, str] = {
    "running": "running",
    "completed": "completion",
    "failed": "failure",
    "timed_out": "failure",
    "cancelled": "cancellation",
    "crashed": "crashed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state of a run, by its `type` (`running`, `completed`, `failed`, ...) and a `name` for people.

    `error` is the exception that an attempt failed with, where it was raised in this process.
    """

    type: str
    name: str
    message: str | None = None
    error: BaseException | None = None

    def is_running(self) -> bool:
        """Whether the flow has begun."""
        return self.type == "running"

    def is_completed(self) -> bool:
        """Whether the flow returned."""
        return self.type == "completed"

    def is_failed(self) -> bool:
        """Whether the flow raised an exception, or took too long."""
        return self.type in ("failed", "timed_out")

    def is_cancelled(self) -> bool:
        """Whether somebody ended the run."""
        return self.type == "cancelled"

    def is_crashed(self) -> bool:
        """Whether the process of the run ended before it said how."""
        return self.type == "crashed"

    def is_final(self) -> bool:
        """Whether the run stays in this state."""
        return self.type not in ("scheduled", "claimed", "running", "retrying", "lost")

    def __str__(self) -> str:
        return f"{self.name}({self.message or ''})"


RUNNING = State(type="running", name="Running")
COMPLETED = State(type="completed", name="Completed")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRun:
    """A run, as hooks and conditions are told of it.

    What only a served run has (a deployment, a revision, an instant that it was scheduled at) is None for a flow that
    was called directly.
    """

    id: UUID
    name: str
    flow: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    state: State
    attempt: int = 1
    deployment: str | None = None
    revision: Revision | None = None
    scheduled_at: datetime | None = None
    tags: tuple[str, ...] = ()
    parent_id: UUID | None = None


def state_after(error: BaseException | None) -> State:
    """The state that a flow comes to by itself, by what it raised (None for nothing)."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return COMPLETED
    asyncio = sys.modules.get("asyncio")
    if isinstance(error, KeyboardInterrupt) or (asyncio is not None and isinstance(error, asyncio.CancelledError)):
        return State(type="cancelled", name="Cancelled", message=_said(error), error=error)
    return State(type="failed", name="Failed", message=_said(error), error=error)


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as worse:
        return f"{type(error).__name__}, whose text raised {type(worse).__name__}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
