"""Why a run or a deployment is as it is, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from flowsource.cli.reasons import Around, why_deployment, why_revision, why_run
from flowsource.deployments import Block, Declaration, Deployment, FlowFacts, Hold, Loaded, Rejection, Wish
from flowsource.promotions import HistoryEntry, Kind
from flowsource.runs import Cancellation, Failure, Run, RunState
from flowsource.source_status import SourceState, SourceStatus
from flowsource.store.values import KnownRunner, KnownSource, RunnerInfo, SourceReport, SourceWish
from tests.store.words import FIRST, HOUR, MINUTE, NOW, SECOND, SECOND_REVISION

RUNNER = UUID(int=7)
TRACE = 'Traceback:\n  File "flows/etl.py", line 12, in load\n  File "/usr/lib/json.py", line 3, in loads\n'
LATE = NOW - 2 * MINUTE


def run_of(state: RunState = RunState.SCHEDULED, **said: Any) -> Run:
    usual = {"id": uuid4(), "name": "brave-otter", "deployment_id": UUID(int=1), "deployment": "etl/nightly"}
    times = dict.fromkeys(("due_at", "scheduled_at", "created_at", "changed_at"), LATE)
    return Run(**{**usual, **times, "state": state, "runner_id": RUNNER, **said})


def around(
    *,
    declared: Mapping[str, Any] | None = None,
    is_alive: bool = True,
    most: int | None = None,
    in_progress: tuple[Run, ...] = (),
    **said: Any,
) -> Around:
    declaration = Declaration(
        name="nightly", entrypoint="flows.py:etl", source_key="key", source_label="team/flows", **(declared or {})
    )
    beside = {key: said.pop(key) for key in ("source", "history", "waiting") if key in said}
    usual = {"active": FIRST, "facts": FlowFacts(name="etl"), "created_at": NOW, "updated_at": NOW}
    deployment = Deployment(**{"id": UUID(int=1), "flow": "etl", "declared": declaration, **usual, **said})
    runner = KnownRunner(
        id=RUNNER,
        lease_until=NOW + MINUTE if is_alive else NOW - MINUTE,
        info=RunnerInfo(host="athena", pid=4711, version="1", started_at=NOW, limit=most),
        deployments=("etl/nightly",),
    )
    return Around(deployment=deployment, runners=[runner], in_progress=in_progress, **beside)


def going_on(number: int, **said: Any) -> Run:
    return run_of(RunState.RUNNING, **{"name": f"run-{number}", **said})


@pytest.mark.parametrize(
    ("run", "known", "kind", "sentence"),
    [
        (
            run_of(due_at=NOW + HOUR),
            around(),
            "not due",
            "brave-otter waits for its time, in 1 h (",
        ),
        (
            run_of(
                RunState.RETRYING, due_at=NOW + 40 * SECOND, attempt=1, failure=Failure(kind="KeyError", message="x")
            ),
            around(),
            "retrying",
            ") after attempt 1 ended (KeyError: x).",
        ),
        (
            run_of(),
            around(is_alive=False),
            "nobody serves",
            "is due since 2 min, and waits: nobody serves etl/nightly; its runner is out of sight since 1 min.",
        ),
        (
            run_of(),
            around(declared={"global_limit": 1}, in_progress=(going_on(1),)),
            "limit of all servers",
            "1 run of etl/nightly may go on at once on all servers (global_limit), and run-1 goes on.",
        ),
        (
            run_of(),
            around(declared={"limit": 2}, in_progress=(going_on(1), going_on(2))),
            "limit of a server",
            "2 runs of etl/nightly may go on at once on the runner at athena (process 4711) (limit), and run-1, run-2",
        ),
        (
            run_of(),
            around(most=4, in_progress=tuple(going_on(n, deployment_id=UUID(int=2)) for n in range(4))),
            "limit of a server",
            "the runner at athena (process 4711) executes 4 runs at once, and run-0, run-1, run-2 and 1 more go on.",
        ),
        (run_of(due_at=NOW - SECOND), around(), "taken next", "is taken next by the runner at athena (process 4711)."),
        (run_of(), around(), "not taken", "although the runner at athena (process 4711) serves etl/nightly"),
        (
            run_of(RunState.CLAIMED, claimed_at=LATE),
            around(),
            "claimed",
            "was taken by the runner at athena (process 4711) 2 min ago",
        ),
        (
            run_of(RunState.RUNNING, started_at=LATE, due_at=NOW - HOUR),
            around(),
            "running",
            "is executed by the runner at athena (process 4711) since 2 min; it began 58 min after its time.",
        ),
        (
            run_of(
                RunState.RUNNING,
                started_at=LATE,
                cancellation=Cancellation(asked_at=LATE, by="anna", reason="wrong day", signalled_at=NOW),
            ),
            around(),
            "ending",
            "anna asked it to end 2 min ago: wrong day, and its processes were asked to",
        ),
        (
            run_of(RunState.LOST),
            around(is_alive=False),
            "lost",
            "the runner at athena (process 4711) showed no life since 2 min ago; "
            "unless that comes back, it counts as crashed in 8 min.",
        ),
        (run_of(RunState.LOST, runner_id=UUID(int=9)), around(), "lost", "a runner that is gone showed no life"),
        (
            run_of(RunState.COMPLETED, started_at=LATE, ended_at=NOW - MINUTE),
            around(),
            "completed",
            "brave-otter completed after 1 min, 1 min ago.",
        ),
        (
            run_of(
                RunState.FAILED,
                attempt=3,
                revision=FIRST,
                failure=Failure(kind="ValueError", message="no such day", traceback=TRACE),
            ),
            around(),
            "failed",
            "brave-otter failed, in attempt 3: ValueError: no such day (flows/etl.py:12 at 1111111).",
        ),
        (
            run_of(RunState.TIMED_OUT, failure=Failure(kind="timed out", message="it took more than 5 s")),
            around(),
            "timed out",
            "brave-otter timed out: it took more than 5 s.",
        ),
        (
            run_of(RunState.CANCELLED, cancellation=Cancellation(asked_at=LATE, by="anna")),
            around(),
            "cancelled",
            "brave-otter was cancelled: anna asked it to end 2 min ago.",
        ),
        (
            run_of(RunState.SKIPPED, failure=Failure(kind="too late", message="it could not begin in time")),
            around(),
            "skipped",
            "brave-otter was skipped, for it could not begin in time.",
        ),
        (
            run_of(RunState.RUNNING, is_nested=True, parent_id=UUID(int=5)),
            around(),
            "running",
            f"it is a call inside the run {UUID(int=5)}",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 25 else "",
)
def test_why_a_run_is_in_its_state(run: Run, known: Around, kind: str, sentence: str) -> None:
    told = why_run(run, known, now=NOW)
    assert told.kind == kind
    assert sentence in told.sentence


def test_a_run_that_only_waits_for_another_takes_no_place() -> None:
    waits = going_on(1)
    known = around(declared={"global_limit": 1}, in_progress=(waits,), waiting={waits.id})
    assert why_run(run_of(), known, now=NOW).kind == "not taken"


def test_a_runner_with_room_is_enough() -> None:
    known = around(declared={"limit": 1}, in_progress=(going_on(1),))
    other = KnownRunner(id=UUID(int=8), lease_until=NOW + MINUTE, deployments=("etl/nightly",))
    both = replace(known, runners=[*known.runners, other])
    assert why_run(run_of(), both, now=NOW).kind == "not taken"


BAD = Rejection(revision=SECOND_REVISION, kind="import", message="no module", details="", at=NOW)
PIN = Wish(kind="pin", revision=FIRST, by="anna", reason="audit", at=NOW)


@pytest.mark.parametrize(
    ("run", "known", "sentence"),
    [
        (run_of(), around(), "It takes what etl/nightly serves when it begins, by now 1111111."),
        (run_of(revision=FIRST), around(), "It is at 1111111, which etl/nightly serves."),
        (run_of(revision=FIRST), around(rejected=BAD), "serves; 2222222 was rejected: no module."),
        (run_of(revision=FIRST), around(wish=PIN), "serves; it is pinned to that by anna (audit)."),
        (
            run_of(revision=FIRST),
            around(held=Hold(loaded=Loaded(SECOND_REVISION, FlowFacts(name="etl")), changes=(), at=NOW)),
            "serves; 2222222 waits to be accepted, for it changes dependencies.",
        ),
        (
            run_of(revision=FIRST),
            around(blocked=(Block(revision=SECOND_REVISION, instead=FIRST, by="anna", reason=None, at=NOW),)),
            "serves; anna rolled back to it from 2222222.",
        ),
        (
            run_of(revision=SECOND_REVISION, attempt=2),
            around(),
            "served when it began, and each attempt keeps the revision of the first; by now that serves 1111111.",
        ),
        (
            run_of(revision=SECOND_REVISION, keeps_revision=True),
            around(),
            "the revision of the run that it does again.",
        ),
    ],
)
def test_why_a_run_is_at_its_revision(run: Run, known: Around, sentence: str) -> None:
    assert why_revision(run, known, now=NOW).endswith(sentence)


@pytest.mark.parametrize(
    ("wish", "state", "sentence"),
    [
        (SourceWish(key="key", paused_at=LATE), SourceState.PAUSED, "; its source is paused since 2 min."),
        (SourceWish(key="key"), SourceState.AUTH_FAILED, "; its source is auth failed: give a token."),
        (SourceWish(key="key"), SourceState.OK, "which etl/nightly serves."),
    ],
)
def test_a_source_in_trouble_tells_why_nothing_newer_serves(
    wish: SourceWish, state: SourceState, sentence: str
) -> None:
    status = SourceStatus(label="flows", state=state, since=LATE, reason="give a token.")
    report = SourceReport(key="key", selector="", status=status, revision=FIRST)
    known = around(source=KnownSource(report=report, wish=wish, is_served=True))
    assert why_revision(run_of(revision=FIRST), known, now=NOW).endswith(sentence)


PAUSED = HistoryEntry(kind=Kind.PAUSED, at=LATE, by="anna", reason="quarter end")


@pytest.mark.parametrize(
    ("known", "next_at", "kind", "sentence"),
    [
        (around(paused=True, history=[PAUSED]), None, "paused", "is paused by anna (quarter end), 2 min ago:"),
        (around(is_alive=False, stopped=True), None, "nobody serves", "etl/nightly makes no runs, for nobody serves"),
        (around(), NOW + timedelta(hours=2), "waits for its time", "makes its next run in 2 h"),
        (around(), None, "on request", "it runs when it is asked to."),
    ],
)
def test_why_a_deployment_makes_no_runs(known: Around, next_at: Any, kind: str, sentence: str) -> None:
    told = why_deployment(known, next_at=next_at, now=NOW)
    assert (told.kind, sentence in told.sentence) == (kind, True), told.sentence
