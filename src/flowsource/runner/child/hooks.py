"""The hooks of a flow, called in a process of their own once a run came to a state."""

from __future__ import annotations

from typing import Any

from flowsource.calling.hooking import call_hooks
from flowsource.context import enter_run, get_run_logger
from flowsource.errors import EntrypointError
from flowsource.hooks import State
from flowsource.runner.child.calling import context_of, flow_run_of
from flowsource.runner.child.loading import load_flow


def call_back(order: dict[str, Any]) -> None:
    """Load the flow of `order`, and call what it has for the occasion; what goes wrong is logged."""
    context = context_of(order)
    enter_run(context)
    occasion, told = order["hook"], order["state"]
    try:
        flow = load_flow(order)
    except EntrypointError as error:
        get_run_logger().error("The hooks on_%s were not called: %s", occasion, error)
        return
    state = State(type=told["type"], name=told["name"], message=told["message"])
    call_hooks(flow, flow_run_of(context, state), occasion)
