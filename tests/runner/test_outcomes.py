"""How an attempt ended: what its process said, how it left and why it was ended, as one truth."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowsource.runner.outcomes import (
    FENCED,
    SHUTDOWN,
    Stop,
    cancelled,
    outcome_of,
    outcome_of_stop,
    timed_out,
    with_hint,
)
from flowsource.runner.processes.process import Exit
from flowsource.runs import Cancellation, Failure, RunState
from flowsource.store.values import Outcome

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CANCEL = cancelled(Cancellation(asked_at=NOW, by="ada", reason="it is late"))
TIME_OUT = timed_out(timedelta(seconds=5), retry_in=timedelta(seconds=10))
COMPLETED = {"state": "completed", "has_result": True, "result": 6}
FAILED = {"state": "failed", "failure": {"kind": "ValueError", "message": "no good"}}
ENDED = {"state": "cancelled", "failure": {"kind": "cancelled", "message": "it was asked to end"}}


@pytest.mark.parametrize("stop", [None, CANCEL, TIME_OUT, SHUTDOWN, FENCED])
def test_what_completed_has_completed_even_while_it_was_being_ended(stop: Stop | None) -> None:
    outcome = outcome_of(COMPLETED, Exit(0), stop=stop, now=NOW)
    assert outcome == Outcome(state=RunState.COMPLETED, has_result=True, result=6)


@pytest.mark.parametrize("answer", [FAILED, ENDED, None])
@pytest.mark.parametrize("stop", [CANCEL, TIME_OUT, SHUTDOWN, FENCED])
def test_anything_else_that_happens_then_comes_of_the_end(answer: dict[str, Any] | None, stop: Stop) -> None:
    outcome = outcome_of(answer, Exit(-signal.SIGTERM), stop=stop, now=NOW)
    assert (outcome.state, outcome.failure) == (stop.state, stop.failure)


def test_a_failure_is_told_as_the_flow_told_it() -> None:
    outcome = outcome_of(FAILED, Exit(0), stop=None, now=NOW)
    assert outcome == Outcome(state=RunState.FAILED, failure=Failure(kind="ValueError", message="no good"))


@pytest.mark.parametrize("delay", [0, 2.5])
def test_a_failure_that_wants_another_attempt_says_when(delay: float) -> None:
    outcome = outcome_of({**FAILED, "retry_in": delay}, Exit(0), stop=None, now=NOW)
    assert outcome.retry_at == NOW + timedelta(seconds=delay)


def test_a_time_out_may_want_another_attempt_and_a_cancellation_never_does() -> None:
    assert outcome_of_stop(TIME_OUT, now=NOW).retry_at == NOW + timedelta(seconds=10)
    assert outcome_of({**FAILED, "retry_in": 1}, Exit(0), stop=CANCEL, now=NOW).retry_at is None


def test_what_is_fenced_is_to_be_run_again_at_once() -> None:
    assert outcome_of_stop(FENCED, now=NOW).retry_at == NOW


@pytest.mark.parametrize(
    ("status", "others", "said"),
    [
        (-signal.SIGSEGV, {}, "its process was killed by SIGSEGV before it said how it ended"),
        (-40, {}, "its process was killed by signal 40 before it said how it ended"),
        (3, {}, "its process left with exit code 3 before it said how it ended"),
        (-signal.SIGKILL, {}, "was killed by SIGKILL (by somebody, or by the system for want of memory)"),
        (-signal.SIGKILL, {"is_out_of_memory": True}, "was killed by the system because memory ran out"),
        (0, {"left_behind": 1}, "; a process that it left behind was ended"),
        (0, {"left_behind": 2}, "; 2 processes that it left behind were ended"),
    ],
)
def test_a_crash_says_how(status: int, others: dict[str, Any], said: str) -> None:
    outcome = outcome_of(None, Exit(status, **others), stop=None, now=NOW)
    assert outcome.state is RunState.CRASHED
    assert outcome.failure is not None
    assert said in outcome.failure.message


def test_the_end_is_told_with_who_wanted_it_and_why() -> None:
    assert CANCEL.failure.message == "cancelled by ada: it is late"
    assert cancelled(Cancellation(asked_at=NOW, by="ada")).failure.message == "cancelled by ada"
    assert TIME_OUT.failure.message == "it was ended after 5 s, the time limit of its flow"


@pytest.mark.parametrize(
    ("kind", "message", "is_told"),
    [
        ("PermissionError", "[Errno 13] Permission denied: 'out.csv'", True),
        ("PermissionError", "[Errno 13] Permission denied: '/snapshots/1/tree/data/out.csv'", True),
        ("OSError", "[Errno 30] Read-only file system: 'out.csv'", True),
        ("PermissionError", "[Errno 13] Permission denied: '/etc/shadow'", False),
        ("OSError", "[Errno 28] No space left on device: 'out.csv'", False),
        ("ValueError", "Permission denied: 'out.csv'", False),
    ],
)
def test_a_write_into_a_snapshot_is_told_with_what_to_do(kind: str, message: str, is_told: bool) -> None:
    root = Path("/snapshots/1/tree")
    outcome = Outcome(state=RunState.FAILED, failure=Failure(kind=kind, message=message))
    hinted = with_hint(outcome, root=root, directory=root / "flows").failure
    assert hinted is not None
    assert hinted.message.startswith(message)
    assert ('serve it with workdir="private"' in hinted.message) == is_told
