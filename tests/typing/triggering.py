"""Triggers and events are known by name and type."""

# pyright: strict
from __future__ import annotations

from datetime import timedelta
from typing import assert_type
from uuid import UUID

from flowsource import (
    CompoundTrigger,
    DeploymentEventTrigger,
    Event,
    EventTrigger,
    SequenceTrigger,
    aemit_event,
    current_run,
    emit_event,
    flow,
)

PAID = EventTrigger(expect={"order.paid"}, match={"flowsource.resource.id": ["order.*", "!order.0"]})
LATE = DeploymentEventTrigger(
    expect="order.shipped",
    after=["order.paid"],
    match_related=[{"flowsource.resource.role": "shop"}],
    for_each={"flowsource.resource.id"},
    posture="Proactive",
    within=timedelta(hours=1),
    parameters={"order": "{{ event.payload.id }}"},
    schedule_after=5,
)


@flow
def look_after(order: int) -> None:
    run = current_run()
    assert run is not None
    assert_type(run.event, Event | None)
    assert_type(emit_event("order.seen", {"id": order}, resource={"flowsource.resource.id": "order.1"}), UUID)


async def told() -> None:
    assert_type(await aemit_event("order.seen"), UUID)


look_after.to_deployment(triggers=[LATE, CompoundTrigger(triggers=[PAID, SequenceTrigger(triggers=[PAID])], require=1)])
look_after.to_deployment(on_completion_of="load/daily", on_failure_of=["a", "b"])

EventTrigger(expected="x")  # wrong
EventTrigger(posture="Active")  # wrong
EventTrigger(threshold="1")  # wrong
EventTrigger(match={"a": 1})  # wrong
CompoundTrigger(triggers=["x"])  # wrong
look_after.to_deployment(triggers=["x"])  # wrong
look_after.to_deployment(on_completion_of=1)  # wrong
emit_event(1)  # wrong
emit_event("x", ["y"])  # wrong
