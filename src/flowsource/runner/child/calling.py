"""The flow of a run, loaded and called to its end."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from flowsource.calling.calls import Call, Inside, open_calls_with
from flowsource.calling.names import run_name_of
from flowsource.calling.prints import prints_as_records
from flowsource.calling.trying_again import seconds_until_retry, seconds_until_retry_of_timeout
from flowsource.context import RunContext, enter_run
from flowsource.errors import EntrypointError, EntrypointLoadFailed
from flowsource.events import Event
from flowsource.flows import Flow
from flowsource.hooks import FlowRun, State
from flowsource.parameters import parameters_of
from flowsource.revisions import Revision
from flowsource.runner.child.loading import load_flow
from flowsource.runner.child.nesting import NestedCalls, Send
from flowsource.runner.child.results import failed, failure_of, result_of
from flowsource.runner.child.terminating import Termination


def outcome_of_run(order: dict[str, Any], send: Send, termination: Termination) -> dict[str, Any]:
    """Do the run of `order`, and return how it ended, as it is told to the runner.

    Sends `loaded` right before the call.
    """
    root = Path(order["root"])
    context = context_of(order)
    enter_run(context)
    flow: Flow[..., Any] | None = None
    try:
        with termination.listening():
            loaded = load_flow(order)
            values = order["parameters"]
            if loaded.should_validate_parameters:
                values = loaded.validate_parameters(values)
            name = run_name_of(loaded, values)
            send(_loaded(loaded, name, context))
            context = _begun(context, loaded, name)
            enter_run(context)
            open_calls_with(NestedCalls(send, root).open)
            flow = loaded
            recording = prints_as_records(everywhere=True) if flow.log_prints else nullcontext()
            with Inside(Call(flow, (), values)), recording:
                result = _call(flow, values, termination)
    except EntrypointLoadFailed as error:
        return _ended("failed", failed(type(error).__name__, error.reason, error.details))
    except EntrypointError as error:
        return _ended("failed", failed(type(error).__name__, str(error), ""))
    except BaseException as error:  # Whatever a flow raises is how it ended.
        if termination.is_asked:
            return _ended("cancelled", failure_of(error, root, is_over=True))
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return {"state": "completed", "has_result": False, "result": None}
        # What fails before the flow is called will fail again: its code and its parameters stay what they are.
        failure = _failure(error, root)
        if flow is None:
            return _ended("failed", failure)
        said = f"{failure['kind']}: {failure['message']}"
        run = flow_run_of(context, State(type="failed", name="Failed", message=said, error=error))
        return _ended("failed", failure, retry_in=seconds_until_retry(flow, run, error))
    return {"state": "completed", **result_of(result)}


def context_of(order: dict[str, Any]) -> RunContext:
    """What the order says of the run."""
    run = order["run"]
    return RunContext(
        id=UUID(run["id"]),
        name=run["name"],
        flow=run["flow"],
        deployment=run["deployment"],
        revision=Revision.from_json(run["revision"]),
        source=run["source"],
        scheduled_at=datetime.fromisoformat(run["scheduled_at"]),
        attempt=run["attempt"],
        parameters=order["parameters"],
        tags=tuple(run["tags"]),
        parent_id=UUID(run["parent_id"]) if run["parent_id"] else None,
        fencing_token=run["epoch"],
        scratch=Path(run["scratch"]),
        event=Event.from_json(run["event"]) if run["event"] is not None else None,
    )


def flow_run_of(context: RunContext, state: State) -> FlowRun:
    """The run as hooks are told of it."""
    return FlowRun(
        id=context.id,
        name=context.name,
        flow=context.flow,
        parameters=context.parameters,
        state=state,
        attempt=context.attempt,
        deployment=context.deployment,
        revision=context.revision,
        scheduled_at=context.scheduled_at,
        tags=context.tags,
        parent_id=context.parent_id,
    )


def _loaded(flow: Flow[..., Any], name: str | None, context: RunContext) -> dict[str, Any]:
    timeout = flow.timeout_seconds
    return {
        "type": "loaded",
        "name": name,
        "timeout": timeout,
        "retry_after_timeout": seconds_until_retry_of_timeout(flow, context.attempt) if timeout else None,
        "hooks": list(flow.hooks),
    }


def _begun(context: RunContext, flow: Flow[..., Any], name: str | None) -> RunContext:
    timeout = flow.timeout_seconds
    deadline = datetime.now(UTC) + timedelta(seconds=timeout) if timeout else None
    return replace(context, name=name or context.name, flow=context.flow or flow.name, deadline=deadline)


def _call(flow: Flow[..., Any], values: dict[str, Any], termination: Termination) -> Any:
    """What the flow returns in the end. A generator is gone through, and what it yields is not kept."""
    positional, named = parameters_of(flow.fn).arguments(values)
    result = flow.fn(*positional, **named)
    if inspect.isgenerator(result):
        return _exhausted(result)
    if inspect.isasyncgen(result):
        return asyncio.run(_awaited(_exhausted_async(result), termination))
    if inspect.isawaitable(result):
        return asyncio.run(_awaited(result, termination))
    return result


def _exhausted(generator: Any) -> Any:
    returned: list[Any] = []

    def through() -> Any:
        returned.append((yield from generator))

    deque(through(), maxlen=0)
    return returned[0]


async def _exhausted_async(generator: Any) -> None:
    async for _ in generator:
        pass


async def _awaited(work: Awaitable[Any], termination: Termination) -> Any:
    task = asyncio.current_task()
    assert task is not None, "a loop that was made for it runs it as a task"
    with termination.cancelling(task):
        return await work


def _failure(error: BaseException, root: Path) -> dict[str, Any]:
    told = failure_of(error, root, is_over=True)
    if isinstance(error, SystemExit):
        return {**told, "message": f"the flow left with exit code {told['message']}"}
    return told


def _ended(state: str, failure: dict[str, Any], *, retry_in: float | None = None) -> dict[str, Any]:
    return {"state": state, "failure": failure, "has_result": False, "result": None, "retry_in": retry_in}
