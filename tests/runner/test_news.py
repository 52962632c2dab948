"""What a server tells when a deployment is not as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest

from flowsource.deployments import (
    Block,
    Change,
    Declaration,
    Deployment,
    FlowFacts,
    Hold,
    Loaded,
    Rejection,
    Wish,
)
from flowsource.promotions import Outcome, Passed, Refused
from flowsource.revisions import Revision
from flowsource.runner.output.news import news, standing_news
from flowsource.runner.output.terminal import Terminal

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ONE, TWO, THREE = (Revision(id=sign * 40, subject=f"Say {sign}") for sign in "123")
FACTS = FlowFacts(name="etl")
SERVING = Deployment(
    id=uuid4(),
    flow="etl",
    declared=Declaration(name="nightly", entrypoint="flows.py:etl", source_key="key", source_label="label"),
    facts=FACTS,
    active=ONE,
    created_at=NOW,
    updated_at=NOW,
)
PIN = Wish(kind="pin", revision=ONE, by="ada", reason="the audit", at=NOW)
CHANGES = (Change("uv.lock", "-a\n+b"),)
HOLD = Hold(loaded=Loaded(TWO, FACTS), changes=CHANGES, at=NOW)
REJECTED = Rejection(revision=TWO, kind="import", message="it fails", details="a\ntraceback", at=NOW)
BLOCK = Block(revision=TWO, instead=ONE, by="ada", reason="wrong answers", at=NOW)
PINNED: dict[str, Any] = {"wish": PIN, "beneath": Loaded(TWO, FACTS)}
PASSED = Passed(loaded=Loaded(TWO, FACTS), changes=CHANGES)


def told(before: Deployment, after: Deployment, outcome: Outcome | None = None, *, in_place: bool = False) -> str:
    return "\n".join(f"{one.mark} {one.text}" for one in news(before, after, outcome, in_place=in_place))


@pytest.mark.parametrize(
    ("before", "after", "outcome", "said"),
    [
        ({}, {"active": TWO}, None, ["✔ etl/nightly now serves 2222222 Say 2"]),
        (
            {},
            {"active": TWO},
            PASSED,
            ["✔ etl/nightly now serves 2222222 Say 2", "It changes uv.lock: see"],
        ),
        (
            {},
            {"rejected": REJECTED},
            None,
            ["✖ etl/nightly: 2222222 was rejected: it fails", "    traceback"],
        ),
        ({"rejected": REJECTED}, {}, PASSED, ["✔ etl/nightly now serves 1111111 Say 1"]),
        (
            {},
            {"held": HOLD},
            None,
            ["⧖ etl/nightly: 2222222 Say 2 waits, for it changes uv.lock", "    +b"],
        ),
        (
            {},
            {"wish": PIN},
            None,
            ["⚲ etl/nightly is pinned to 1111111 Say 1 by ada (the audit)", "unpin '"],
        ),
        (PINNED, {}, None, ["⚲ etl/nightly is not pinned any more"]),
        (PINNED, {**PINNED, "beneath": Loaded(THREE, FACTS)}, None, ["⚲ etl/nightly: 3333333 Say 3 loads, and would"]),
        ({}, {"blocked": (BLOCK,)}, None, ["↶ etl/nightly was rolled back by ada (wrong answers): 2222222 stays out"]),
        (
            {"wish": replace(PIN, revision=TWO)},
            {},
            Refused("it is gone"),
            ["✖ etl/nightly cannot serve 2222222 as was asked for: it"],
        ),
        ({}, {"paused": True}, None, ["⊘ etl/nightly: its schedules are paused"]),
        ({"paused": True}, {}, None, ["⊘ etl/nightly: its schedules are going on again"]),
    ],
)
def test_what_changed_is_told(
    before: Mapping[str, Any], after: Mapping[str, Any], outcome: Outcome | None, said: list[str]
) -> None:
    text = told(replace(SERVING, **before), replace(SERVING, **after), outcome)
    assert text.startswith(said[0])
    for part in said:
        assert part in text


@pytest.mark.parametrize("change", [{}, {"stopped": True}, {"updated_at": datetime.now(UTC)}, {"epoch": 7}])
def test_what_concerns_nobody_is_not_told(change: Mapping[str, Any]) -> None:
    assert told(SERVING, replace(SERVING, **change)) == ""


def test_a_flow_that_writes_beside_its_own_code_is_no_news_each_time_it_does() -> None:
    assert told(SERVING, replace(SERVING, active=TWO), in_place=True) == ""
    described = FlowFacts(name="etl", description="new")
    assert "now serves" in told(SERVING, replace(SERVING, active=TWO, facts=described), in_place=True)


def test_a_directory_in_place_that_does_not_load_has_no_last_good_state() -> None:
    assert "runs fail until this is mended" in told(SERVING, replace(SERVING, rejected=REJECTED), in_place=True)


def test_at_the_start_it_is_told_what_keeps_the_newest_from_serving() -> None:
    standing = replace(SERVING, **PINNED, held=HOLD, rejected=REJECTED)
    assert [one.mark for one in standing_news(standing)] == ["⚲", "⧖", "✖"]
    assert standing_news(SERVING) == []


def test_what_people_and_code_say_cannot_steer_the_terminal() -> None:
    stream = StringIO()
    terminal = Terminal(stream)
    hostile = replace(PIN, by="ada\x1b[2J")
    terminal.deployment_changed(SERVING, replace(SERVING, wish=hostile), None, in_place=False)
    terminal.close()
    assert "by ada\\x1b[2J (the audit)" in stream.getvalue()
