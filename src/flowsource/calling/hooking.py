"""Calling back what a flow wants called when its run comes to a state."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from flowsource.context import get_run_logger
from flowsource.flows import Flow, Hook
from flowsource.hooks import FlowRun


def call_hooks(flow: Flow[..., Any], run: FlowRun, occasion: str) -> None:
    """Call each hook that `flow` has for `occasion`, in order, with `(flow, run, state)`.

    An async one is waited for. What a hook raises is logged, and keeps the others from nothing.
    """
    for hook in flow.hooks.get(occasion, ()):
        try:
            answer(hook, flow, run, run.state)
        except (Exception, SystemExit):
            named = getattr(hook, "__name__", None) or repr(hook)
            get_run_logger().exception("The hook %r (on_%s) of flow %r failed", named, occasion, flow.name)


def answer(function: Hook, *arguments: Any) -> Any:
    """What `function` returns, at once or once it was awaited."""
    said = function(*arguments)
    return _finish(said) if asyncio.iscoroutine(said) else said


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    # The loop of this thread is busy with the flow itself.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(copy_context().run, asyncio.run, work).result()
