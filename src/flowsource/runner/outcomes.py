"""How an attempt ended: decided from what its process answered, how it left, and why we ended it, if we did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any

from flowsource.runner.processes.process import Exit
from flowsource.runs import Cancellation, Failure, RunState
from flowsource.store.values import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why we end a run, and what becomes of it unless it completes all the same.

    With `retry_in` there is to be another attempt after that time.
    """

    state: RunState
    failure: Failure
    retry_in: timedelta | None = None


SHUTDOWN = Stop(
    state=RunState.CANCELLED, failure=Failure(kind="stopped", message="its server was stopped before it ended")
)
# The store has given the run to somebody else, or to nobody: it takes no word of ours about its end.
NOT_OURS = Stop(
    state=RunState.CRASHED, failure=Failure(kind="given up", message="its server had lost it to somebody else")
)
FENCED = Stop(
    state=RunState.CRASHED,
    failure=Failure(kind="fenced", message="its server was cut off from the store, and ended it to be run again"),
    retry_in=timedelta(0),
)


def cancelled(wish: Cancellation) -> Stop:
    """The end of a run that somebody wants to end."""
    why = Failure(kind="cancelled", message=f"cancelled by {wish.by}{wish.because}")
    return Stop(state=RunState.CANCELLED, failure=why)


def timed_out(limit: timedelta, *, retry_in: timedelta | None) -> Stop:
    """The end of a run whose time is over."""
    said = f"it was ended after {limit.total_seconds():g} s, the time limit of its flow"
    return Stop(state=RunState.TIMED_OUT, failure=Failure(kind="timed out", message=said), retry_in=retry_in)


def outcome_of(answer: Mapping[str, Any] | None, how: Exit, *, stop: Stop | None, now: datetime) -> Outcome:
    """How an attempt ended, by what its process answered and `how` that left.

    A flow that completes has completed, even if it was being ended. Anything else that happens after we began to end
    it comes of that. Without an answer, and without a reason of ours, the process crashed.
    """
    if answer is not None and answer["state"] == RunState.COMPLETED:
        return Outcome(
            state=RunState.COMPLETED, has_result=answer.get("has_result", False), result=answer.get("result")
        )
    if stop is not None:
        return outcome_of_stop(stop, now=now)
    if answer is not None:
        retry_in = answer.get("retry_in")
        return Outcome(
            state=RunState(answer["state"]),
            failure=Failure(**answer["failure"]) if answer.get("failure") else None,
            retry_at=now + timedelta(seconds=retry_in) if retry_in is not None else None,
        )
    return Outcome(state=RunState.CRASHED, failure=_crash(how))


def outcome_of_stop(stop: Stop, *, now: datetime) -> Outcome:
    """How an attempt ends that we end."""
    retry_at = now + stop.retry_in if stop.retry_in is not None else None
    return Outcome(state=stop.state, failure=stop.failure, retry_at=retry_at)


def _crash(ended: Exit) -> Failure:
    status, kind = ended.status, "process"
    if ended.is_out_of_memory:
        kind, how = "out of memory", "was killed by the system because memory ran out"
    elif status == -SIGKILL:
        how = "was killed by SIGKILL (by somebody, or by the system for want of memory)"
    elif status < 0:
        how = f"was killed by {_signal_name(-status)}"
    else:
        how = f"left with exit code {status}"
    left = ""
    if ended.left_behind:
        left = f"; {left_behind_text(ended.left_behind)}"
    return Failure(kind=kind, message=f"its process {how} before it said how it ended{left}")


def left_behind_text(count: int) -> str:
    """What became of the processes that a run did not end itself."""
    return (
        f"{count} processes that it left behind were ended" if count > 1 else "a process that it left behind was ended"
    )


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"  # Those for real time have numbers only.


def with_hint(outcome: Outcome, *, root: Path, directory: Path) -> Outcome:
    """`outcome`, with what to do about it where the flow tried to write into its snapshot at `root`."""
    failure = outcome.failure
    if failure is None or not _is_write_refused(failure):
        return outcome
    # The path is the last thing that such an error says, as its repr.
    path = failure.message.rpartition(": ")[2].strip("'\"")
    if not (directory / path).is_relative_to(root):
        return outcome
    hint = (
        f"{failure.message}. The code of a run is read-only: write to current_run().scratch, "
        'or serve it with workdir="private".'
    )
    return replace(outcome, failure=replace(failure, message=hint))


def _is_write_refused(failure: Failure) -> bool:
    return failure.kind in ("PermissionError", "OSError") and any(
        sign in failure.message for sign in ("Permission denied: ", "Read-only file system: ")
    )
