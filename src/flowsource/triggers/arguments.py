"""Triggers as they are asked for by keyword, and in short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowsource.deployments import check_name
from flowsource.errors import InvalidDeployment
from flowsource.event_names import NAME, ROLE, RUNS
from flowsource.runs import RunState
from flowsource.triggers.keeping import trigger_key
from flowsource.triggers.values import EventTrigger, Trigger

# The states that each short form means.
SHORT_FORMS: Mapping[str, tuple[RunState, ...]] = {
    "on_completion_of": (RunState.COMPLETED,),
    "on_failure_of": (RunState.FAILED, RunState.TIMED_OUT),
    "on_cancellation_of": (RunState.CANCELLED,),
    "on_crash_of": (RunState.CRASHED,),
}


def triggers_from_arguments(options: Mapping[str, Any]) -> tuple[Trigger, ...]:
    """The triggers that were asked for; raises InvalidDeployment naming what cannot be used."""
    given = options.get("triggers")
    listed = () if given is None else given
    if not isinstance(listed, Iterable) or isinstance(listed, str | bytes | Mapping):
        raise InvalidDeployment(f"triggers: {given!r} is not a list; give one, such as [EventTrigger(...)].")
    made: list[Trigger] = []
    for place, each in enumerate(listed):
        if not isinstance(each, Trigger):
            raise InvalidDeployment(f"triggers.{place}: {each!r} is not a trigger; give an EventTrigger, or a group.")
        made.append(each)
    for name, states in SHORT_FORMS.items():
        made += [_at_end_of(other, states, name=name) for other in _names(options.get(name), name=name)]
    if len(set(map(trigger_key, made))) < len(made):
        raise InvalidDeployment(
            "triggers: the same trigger is given more than once; keep one of them, or give each a name."
        )
    return tuple(made)


def check_not_of_itself(triggers: Iterable[Trigger], *, flow: str, name: str) -> None:
    """Raise InvalidDeployment where the runs of a deployment, however they end, would each make it run again."""
    for trigger in triggers:
        if isinstance(trigger, EventTrigger) and _is_met_by_each_run_of(trigger, flow, name):
            raise InvalidDeployment(
                f"triggers: {flow}/{name} would run again and again, for its own runs make it run "
                f"({trigger.describe()}). Name another deployment; for another try at what failed, say retries=... "
                "of the flow."
            )


def _names(given: object, *, name: str) -> list[str]:
    listed = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(listed, Iterable) or isinstance(listed, bytes | Mapping):
        raise InvalidDeployment(f"{name}: {given!r} is not the name of a deployment; give 'flow/deployment'.")
    return [_checked_name(each, name=name) for each in listed]


def _checked_name(given: object, *, name: str) -> str:
    if not isinstance(given, str):
        raise InvalidDeployment(f"{name}: {given!r} is not the name of a deployment; give 'flow/deployment'.")
    flow, slash, own = given.rpartition("/")
    try:
        for part in (flow, own) if slash else (own,):
            check_name(part)
    except InvalidDeployment:
        raise InvalidDeployment(
            f"{name}: {given!r} cannot name a deployment; give 'flow/deployment', or its own name."
        ) from None
    return given


def _at_end_of(other: str, states: tuple[RunState, ...], *, name: str) -> EventTrigger:
    flow, _, own = other.rpartition("/")
    return EventTrigger(expect=[f"{RUNS}{state}" for state in states], match_related=_related(flow, own))


def _related(flow: str, own: str) -> list[dict[str, str]]:
    related = [{ROLE: "deployment", NAME: own}]
    return [*related, {ROLE: "flow", NAME: flow}] if flow else related


def _is_met_by_each_run_of(trigger: EventTrigger, flow: str, name: str) -> bool:
    if not all(event.startswith(RUNS) for event in trigger.expect):
        return False
    means_it = any(
        trigger.wanted_related == EventTrigger(match_related=_related(of, name)).wanted_related for of in (flow, "")
    )
    counts_one = trigger.posture == "Reactive" and trigger.threshold == 1 and not trigger.time
    return means_it and counts_one and not trigger.match and not trigger.after
