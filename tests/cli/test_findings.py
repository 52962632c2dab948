"""What `flowsource doctor` says of what it finds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from flowsource.cli.findings import of_clock, of_deployments, of_disk, of_mode, of_programs, of_runs, of_sources
from flowsource.deployments import Declaration, Deployment, FlowFacts, Rejection
from flowsource.runs import Run, RunState
from flowsource.source_status import SourceState, SourceStatus
from flowsource.store.values import KnownRunner, KnownSource, SourceReport, SourceWish
from tests.store.words import FIRST, HOUR, MINUTE, NOW, SECOND, SECOND_REVISION


def source(state: SourceState, *, address: str = "https://h/r", is_served: bool = True, **wish: Any) -> KnownSource:
    status = SourceStatus(label="team/flows", state=state, since=NOW, reason="give a token")
    report = SourceReport(key="key", selector="", address=address, status=status, revision=FIRST)
    return KnownSource(report=report, wish=SourceWish(key="key", **wish), is_served=is_served)


def deployment(**said: Any) -> Deployment:
    declared = Declaration(name="nightly", entrypoint="flows.py:etl", source_key="key", source_label="team/flows")
    facts = FlowFacts(name="etl")
    return Deployment(
        id=uuid4(), flow="etl", declared=declared, facts=facts, active=FIRST, created_at=NOW, updated_at=NOW, **said
    )


def run(state: RunState, **said: Any) -> Run:
    times = dict.fromkeys(("scheduled_at", "due_at", "created_at", "changed_at"), NOW)
    usual = {"name": "brave-otter", "deployment_id": uuid4(), "deployment": "etl/nightly"}
    return Run(**{"id": uuid4(), "state": state, **usual, **times, **said})


ALIVE = KnownRunner(id=uuid4(), lease_until=NOW + MINUTE, deployments=("etl/nightly",))


@pytest.mark.parametrize(
    ("mode", "private", "level"),
    [
        (0o100600, True, "ok"),
        (0o100640, True, "warn"),
        (0o100666, True, "fail"),
        (0o40755, False, "ok"),
        (0o40777, False, "fail"),
    ],
)
def test_what_others_may_do_with_a_file(mode: int, private: bool, level: str) -> None:
    found = of_mode("token", "/a b", mode, private=private)
    assert (found.level, found.next_step) == (level, None if level == "ok" else "chmod go-rwx '/a b'")


@pytest.mark.parametrize(("free", "level"), [(5 << 30, "ok"), (500 << 20, "warn"), (50 << 20, "fail")])
def test_how_much_room_is_left(free: int, level: str) -> None:
    assert of_disk("home", "/data", free).level == level


@pytest.mark.parametrize(
    ("ahead", "level", "said"),
    [
        (timedelta(seconds=-1), "ok", "agree"),
        (timedelta(minutes=2), "warn", "2 min ahead of that of this machine"),
        (-HOUR, "warn", "1 h behind that of this machine"),
    ],
)
def test_how_far_the_clocks_are_apart(ahead: timedelta, level: str, said: str) -> None:
    found = of_clock(ahead)
    assert (found.level, said in found.said) == (level, True), found.said


def test_ssh_is_wanted_where_a_source_is_reached_over_it() -> None:
    over_ssh = [source(SourceState.OK, address="ssh://git@h/r")]
    assert [one.level for one in of_programs(over_ssh, has_ssh=False)] == ["warn"]
    assert [one.level for one in of_programs(over_ssh, has_ssh=True)] == ["ok"]
    assert [one.level for one in of_programs([source(SourceState.OK)], has_ssh=False)] == ["ok"]


def test_sources_in_trouble_are_told_with_what_explains_them() -> None:
    known = [
        source(SourceState.OK),
        source(SourceState.AUTH_FAILED),
        source(SourceState.DEGRADED),
        source(SourceState.OK, paused_at=NOW),
        source(SourceState.MISSING, is_served=False),
    ]
    assert [(one.level, one.said) for one in of_sources(known)] == [
        ("fail", "team/flows is auth failed: give a token"),
        ("warn", "team/flows is degraded: give a token"),
        ("warn", "team/flows is paused"),
    ]
    assert of_sources(known)[0].next_step == "flowsource source explain team/flows"
    assert [one.level for one in of_sources(known[:1])] == ["ok"]


def test_what_nobody_serves_is_told() -> None:
    [found] = of_deployments([deployment()], [replace(ALIVE, lease_until=NOW - SECOND)], now=NOW)
    assert (found.level, found.said) == ("warn", "nobody serves etl/nightly")
    [found] = of_deployments([deployment()], [ALIVE], now=NOW)
    assert (found.level, found.said) == ("ok", "1 deployment, all served")


def test_a_rejected_revision_is_told() -> None:
    rejected = Rejection(revision=SECOND_REVISION, kind="import", message="no module", details="", at=NOW)
    [found] = of_deployments([deployment(rejected=rejected)], [ALIVE], now=NOW)
    assert found.said == "etl/nightly keeps serving 1111111, for 2222222 was rejected: no module"


def test_what_is_overdue_or_lost_is_told() -> None:
    late = run(RunState.SCHEDULED, due_at=NOW - HOUR)
    waits = [late, run(RunState.SCHEDULED, due_at=NOW - SECOND), run(RunState.RETRYING, due_at=NOW - 2 * MINUTE)]
    overdue, lost = of_runs([*waits, run(RunState.LOST)], now=NOW)
    assert overdue.said == "2 runs overdue, brave-otter of etl/nightly longest (1 h)"
    assert overdue.next_step == f"flowsource why {late.id}"
    assert lost.said == "the runner of brave-otter is out of sight"
    assert [one.level for one in of_runs([], now=NOW)] == ["ok"]
