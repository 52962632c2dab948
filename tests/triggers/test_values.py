"""Triggers as people declare them: what they may say, in which words, and what is refused by its name."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest

from flowsource import flow
from flowsource.errors import InvalidDeployment
from flowsource.triggers import (
    CompoundTrigger,
    DeploymentEventTrigger,
    EventTrigger,
    SequenceTrigger,
    Trigger,
    trigger_from_json,
    trigger_key,
    trigger_to_json,
)
from flowsource.triggers.arguments import check_not_of_itself, triggers_from_arguments
from flowsource.triggers.matching import covers
from tests.triggers.telling import event

A = EventTrigger(expect="a")
EVERYTHING = EventTrigger(
    expect={"order.*", "order"},
    match={"flowsource.resource.id": ["order.*", "!order.0"]},
    match_related=[{"flowsource.resource.role": "shop"}, {"flowsource.resource.name": "x"}],
    for_each=["flowsource.resource.id"],
    after={"shop.opened"},
    posture="Proactive",
    threshold=3,
    within=timedelta(minutes=1),
    parameters={"id": "{{ event.payload.id }}", "n": [1, None]},
    name="mine",
    enabled=False,
    schedule_after=5,
)


@pytest.mark.parametrize(
    "trigger",
    [
        A,
        EVERYTHING,
        CompoundTrigger(require=1, triggers=[A, SequenceTrigger(triggers=[A, A], within=7)], name="both"),
        SequenceTrigger(triggers=[A], parameters={"a": 1}),
    ],
)
def test_a_trigger_is_the_same_once_it_was_kept(trigger: Trigger) -> None:
    kept = trigger_from_json(trigger_to_json(trigger))
    assert kept == trigger
    assert trigger_key(kept) == trigger_key(trigger)


def test_a_trigger_is_the_same_one_by_its_name_or_else_by_all_it_says() -> None:
    assert trigger_key(EventTrigger(expect="a", name="x")) == trigger_key(EventTrigger(expect="b", name="x"))
    assert trigger_key(EventTrigger(expect="a", enabled=False)) == trigger_key(A)
    assert trigger_key(EventTrigger(expect={"b", "a"})) == trigger_key(EventTrigger(expect=["a", "b", "a"]))
    assert len({trigger_key(each) for each in (A, EventTrigger(expect="a", threshold=2), SequenceTrigger([A]))}) == 3


def test_what_is_said_as_in_prefect_means_the_same_here() -> None:
    class Posture(StrEnum):
        REACTIVE = "Reactive"

    theirs: dict[str, Any] = {"posture": Posture.REACTIVE}
    assert DeploymentEventTrigger(
        expect={"prefect.flow-run.Completed", "prefect.flow-run.TimedOut"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.id": ["prefect.tag.etl", "!prefect.tag.test"]},
        for_each={"related:flow:prefect.resource.id"},
        **theirs,
    ) == EventTrigger(
        expect={"flow-run.completed", "flow-run.timed_out"},
        match={"flowsource.resource.id": "flow-run.*"},
        match_related={"flowsource.resource.id": ["tag.etl", "!tag.test"]},
        for_each={"related:flow:flowsource.resource.id"},
    )


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"expect": 5}, "expect"),
        ({"expect": ["a", ""]}, "expect"),
        ({"expect": "prefect.work-pool.ready"}, "expect"),
        ({"after": {"a": 1}}, "after"),
        ({"match": "x"}, "match"),
        ({"match": {"x": 1}}, "match.x"),
        ({"match_related": 5}, "match_related"),
        ({"match_related": [5]}, "match_related"),
        ({"for_each": 5}, "for_each"),
        ({"posture": "Metric"}, "posture"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"within": -1}, "within"),
        ({"within": "1 h"}, "within"),
        ({"posture": "Proactive", "within": 9}, "within"),
        ({"parameters": 5}, "parameters"),
        ({"parameters": {"x": {1}}}, "parameters.x"),
        ({"parameters": {"x": ["{{ 1 + 1 }}"]}}, "parameters.x.0"),
        ({"parameters": {"x": "{{ flow.name }}"}}, "parameters.x"),
        ({"name": " "}, "name"),
        ({"enabled": 1}, "enabled"),
        ({"schedule_after": -1}, "schedule_after"),
        ({"schedule_after": 1e13}, "schedule_after"),
        ({"within": timedelta.max}, "within"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDeployment, match=rf"^{field}: "):
        EventTrigger(**said)


def nested(levels: int) -> Trigger:
    return CompoundTrigger(triggers=[nested(levels - 1)]) if levels else A


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"triggers": []}, "triggers"),
        ({"triggers": ["a"]}, "triggers.0"),
        ({"triggers": [A, EventTrigger(expect="a", parameters={"x": 1})]}, "triggers.1"),
        ({"triggers": [A], "require": 2}, "require"),
        ({"triggers": [A], "require": "some"}, "require"),
        ({"triggers": [A], "within": -1}, "within"),
        ({"triggers": [nested(10)]}, "triggers"),
    ],
)
def test_a_group_that_cannot_be_used_is_refused_by_what_is_wrong(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDeployment, match=rf"^{field}: "):
        CompoundTrigger(**said)


def test_a_deployment_that_follows_others_says_so_in_short() -> None:
    one, two, three = triggers_from_arguments(
        {"triggers": [A], "on_failure_of": "load", "on_completion_of": ["etl/load"]},
    )
    assert one == A
    assert two == EventTrigger(
        expect="flow-run.completed",
        match_related=[
            {"flowsource.resource.role": "deployment", "flowsource.resource.name": "load"},
            {"flowsource.resource.role": "flow", "flowsource.resource.name": "etl"},
        ],
    )
    assert (three.names, three.describe()) == (
        ("flow-run.failed", "flow-run.timed_out"),
        "flow-run.failed or flow-run.timed_out of deployment load",
    )


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"triggers": A}, "triggers"),
        ({"triggers": [{"expect": "a"}]}, "triggers.0"),
        ({"triggers": [A, EventTrigger(expect="a")]}, "triggers"),
        ({"on_completion_of": 5}, "on_completion_of"),
        ({"on_crash_of": ["a/b/c"]}, "on_crash_of"),
        ({"on_cancellation_of": [""]}, "on_cancellation_of"),
    ],
)
def test_options_that_cannot_be_used_are_refused_by_their_names(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDeployment, match=rf"^{field}: "):
        flow(test_options_that_cannot_be_used_are_refused_by_their_names).to_deployment("x", **said)


@pytest.mark.parametrize("name", ["etl/load", "load"])
def test_a_deployment_that_would_follow_itself_is_refused(name: str) -> None:
    triggers = triggers_from_arguments({"on_completion_of": name})
    with pytest.raises(InvalidDeployment, match="again and again"):
        check_not_of_itself(triggers, flow="etl", name="load")
    check_not_of_itself(triggers, flow="etl", name="other")
    told = EventTrigger(expect="page.next", match_related=triggers[0].match_related)  # type: ignore[union-attr]
    check_not_of_itself([told], flow="etl", name="load")


@pytest.mark.parametrize(
    ("match", "related", "is_met"),
    [
        ({}, [], True),
        ({"id": "order.17"}, [], True),
        ({"id": "order.*"}, [], True),
        ({"id": ["x", "order.17"]}, [], True),
        ({"id": ["order.*", "!order.17"]}, [], False),
        ({"id": "!order.1"}, [], True),
        ({"id": "order.1"}, [], False),
        ({"other": "!x"}, [], False),
        ({}, [{"role": "shop"}], True),
        ({}, [{"role": "shop"}, {"role": "flow"}], True),
        ({}, [{"role": "shop", "name": "b"}], False),
        ({}, [{"role": "tag"}], False),
    ],
)
def test_an_event_is_met_by_its_labels(match: dict[str, Any], related: list[dict[str, Any]], is_met: bool) -> None:
    labels = ({"role": "shop", "name": "a"}, {"role": "flow", "name": "b"})
    happened = event("order.created", resource={"id": "order.17"}, related=labels)
    trigger = EventTrigger(match=match, match_related=related)
    assert covers(happened, trigger.wanted, trigger.wanted_related) is is_met
