"""What a server tells of its runs: pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flowsource.runs import Cancellation, Run, RunState
from flowsource.text import MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened: a sign, its colour (a number of ANSI's) and a text for people; the rest is for machines.

    The text may have several lines. `run` and `deployment` are names.
    """

    event: str
    text: str
    mark: str
    colour: str
    at: datetime
    level: int = logging.INFO
    run: str | None = None
    deployment: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)


_LEVELS = {
    RunState.FAILED: logging.ERROR,
    RunState.CRASHED: logging.ERROR,
    RunState.TIMED_OUT: logging.ERROR,
    RunState.LOST: logging.ERROR,
    RunState.RETRYING: logging.WARNING,
    RunState.CANCELLED: logging.WARNING,
}


def run_notice(run: Run) -> Notice:
    """That a run came to the state it is in."""
    mark, colour = MARKS[run.state]
    fields: dict[str, object] = {"run_id": str(run.id), "state": run.state.value, "attempt": run.attempt}
    if run.revision is not None:
        fields["revision"] = run.revision.id
    if run.failure is not None:
        fields["failure"] = {"kind": run.failure.kind, "message": run.failure.message}
    if run.state is RunState.RETRYING:
        fields["due_at"] = run.due_at.isoformat()
    if run.cancellation is not None:
        fields["cancelled_by"] = run.cancellation.by
    return Notice(
        event="run.started" if run.state is RunState.RUNNING else f"run.{run.state}",
        text=f"{run.deployment} {_what_happened(run)}",
        mark=mark,
        colour=colour,
        at=run.changed_at,
        level=_LEVELS.get(run.state, logging.INFO),
        run=run.name,
        deployment=run.deployment,
        fields=fields,
    )


def _what_happened(run: Run) -> str:
    why = f": {run.failure}" if run.failure else ""
    match run.state:
        case RunState.RUNNING:
            attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
            return f"started{f' at {run.revision.short}' if run.revision else ''}{attempt}"
        case RunState.RETRYING:
            pause = max(run.due_at - run.changed_at, timedelta()).total_seconds()
            return f"retries in {pause:.3g} s, as attempt {run.attempt + 1}{why}"
        case RunState.LOST:
            return f"is lost: its server is out of sight{why}"
        case RunState.CANCELLED if run.cancellation is not None:
            return f"cancelled{_by_whom(run.cancellation)}{_took(run)}"
    return f"{run.state.replace('_', ' ')}{_took(run)}{why}"


def _by_whom(cancellation: Cancellation) -> str:
    return f" by {cancellation.by}" + (f" ({cancellation.reason})" if cancellation.reason else "")


def _took(run: Run) -> str:
    if run.started_at is None or run.ended_at is None:
        return ""
    return f" after {max(run.ended_at - run.started_at, timedelta()).total_seconds():.2f} s"
