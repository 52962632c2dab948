"""Triggers as people give them from outside the code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flowsource.errors import InvalidDeployment
from flowsource.triggers import CompoundTrigger, EventTrigger, SequenceTrigger, Trigger, trigger_to_json
from flowsource.triggers.arguments import triggers_from_arguments
from flowsource.triggers.reading import trigger_from_said


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"expect": "order.*"}, EventTrigger(expect="order.*")),
        (
            {"kind": "event", "expect": ["a"], "match": {"region": ["n", "s"]}, "threshold": 3, "within": 60},
            EventTrigger(expect="a", match={"region": ["n", "s"]}, threshold=3, within=timedelta(minutes=1)),
        ),
        (
            {"expect": "a", "name": "mine", "enabled": False, "parameters": {"n": 1}, "schedule_after": 5},
            EventTrigger(expect="a", name="mine", enabled=False, parameters={"n": 1}, schedule_after=5),
        ),
        (
            {"kind": "compound", "require": "any", "triggers": [{"expect": "a"}, {"kind": "event", "expect": "b"}]},
            CompoundTrigger(require="any", triggers=[EventTrigger(expect="a"), EventTrigger(expect="b")]),
        ),
        (
            {"kind": "sequence", "triggers": [{"expect": "a"}], "within": 9},
            SequenceTrigger(triggers=[EventTrigger(expect="a")], within=9),
        ),
    ],
)
def test_only_what_matters_need_be_said(said: dict[str, Any], meant: Trigger) -> None:
    assert trigger_from_said(said) == meant
    assert trigger_from_said(trigger_to_json(meant)) == meant


def test_a_short_form_takes_options_too() -> None:
    [meant] = triggers_from_arguments({"on_failure_of": "load/daily"})

    assert trigger_from_said({"on_failure_of": "load/daily"}) == meant
    assert trigger_from_said({"on_failure_of": "load/daily", "name": "repair"}).name == "repair"


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"kind": "odd"}, "kind: 'odd'"),
        ({"kind": ["event"]}, "kind: "),
        ({"expects": "a"}, "expects: there is no such field"),
        ({"expect": "a", "require": "any"}, "require: there is no such field"),
        ({"expect": "a", "threshold": 0}, "threshold: 0"),
        ({"kind": "compound", "triggers": [{"expect": "a"}, {"expects": "b"}]}, "triggers.1.expects: "),
        ({"kind": "compound", "triggers": [3]}, "triggers.0: 3 is not a trigger"),
        ({"kind": "compound", "triggers": "a"}, "triggers: 'a'"),
        ({"kind": "sequence"}, "triggers: "),
        ({"kind": "sequence", "triggers": [{"expect": "a", "name": "x"}]}, "triggers.0: name can be said of"),
        ({"on_failure_of": "a/b", "threshold": 2}, "threshold: there is no such field; on_failure_of goes with"),
        ({"on_failure_of": "a/b", "on_crash_of": "a/b"}, "give one deployment"),
        ({"on_failure_of": ["a/b", "c/d"]}, "give one deployment"),
        ({"on_failure_of": ""}, "on_failure_of: "),
    ],
)
def test_what_cannot_be_read_is_named(said: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidDeployment) as refused:
        trigger_from_said(said)
    assert where in str(refused.value)


def test_what_is_nested_without_end_is_refused() -> None:
    said: dict[str, Any] = {"expect": "a"}
    for _ in range(900):
        said = {"kind": "sequence", "triggers": [said]}
    with pytest.raises(InvalidDeployment, match="nested"):
        trigger_from_said(said)
