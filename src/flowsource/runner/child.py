"""What a run's process does: load the entrypoint, call the flow, tell how it ended.

It reads one order from the channel and answers with messages: one `outcome` (for a run) or one `facts` or `rejected`
(for an inspection). What the process prints and logs goes through its file descriptors instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import socket
import traceback
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from flowsource.context import RunContext, enter_run, enter_run_process
from flowsource.entrypoints import load, parse, user_traceback
from flowsource.errors import EntrypointError, EntrypointLoadFailed, FlowsourceError, InvalidParameters
from flowsource.flows import Flow
from flowsource.parameters import parameters_of
from flowsource.revisions import Revision
from flowsource.runner import frames
from flowsource.runner.child_output import capture_output, prints_as_records
from flowsource.runner.modules import use_digest_loader
from flowsource.runner.protection import protect

MAX_RESULT_BYTES = 256 * 1024

# Whether what holds for everybody else, that a snapshot is only to be read, can be made to hold for root.
protects_snapshots = False


def main(channel: socket.socket, output: int) -> None:
    """Do what the order on `channel` says, and answer there. `output` is the pipe of what it prints."""
    order = frames.receive(channel)
    root = Path(order["root"])
    enter_run_process()
    if protects_snapshots and not order["is_mounted"]:
        protect(order["root"])
    os.chdir(order["directory"])
    if not order["is_mounted"]:
        # Processes that a flow starts import the snapshot the ordinary way; they must not write into it.
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    use_digest_loader(root, Path(order["bytecode"]) if order["bytecode"] else None)

    owner = os.getpid()

    def send(message: dict[str, Any]) -> None:
        if os.getpid() != owner:
            return  # A process that the flow forked has no say in how the run ends.
        # With the runner gone there is nobody to tell; the process is about to be killed with it.
        with contextlib.suppress(OSError):
            channel.sendall(frames.encode(message))

    if order["kind"] == "inspect":
        send(_inspect(order, root))
    else:
        capture_output(output, bytes.fromhex(order["mark"]))
        send({"type": "outcome", **_run(order, root)})


def _inspect(order: dict[str, Any], root: Path) -> dict[str, Any]:
    try:
        flow = load(parse(order["entrypoint"]), root)
        if order["parameters"]:
            _check_known(flow, order["parameters"])
        facts = {"name": flow.name, "description": flow.description, "parameter_schema": flow.parameter_schema}
    except EntrypointLoadFailed as error:
        said = f"{error.entrypoint!r} fails while it is imported: {error.reason}"
        return {"type": "rejected", "kind": "import", "message": said, "details": error.details}
    except FlowsourceError as error:
        kind = "missing" if isinstance(error, EntrypointError) else "invalid"
        return {"type": "rejected", "kind": kind, "message": str(error), "details": ""}
    return {"type": "facts", **facts}


def _check_known(flow: Flow[..., Any], parameters: dict[str, Any]) -> None:
    """Deployment parameters may be completed by those of a run, so only those given are held against the flow."""
    try:
        flow.validate_parameters(parameters)
    except InvalidParameters as error:
        problems = {name: why for name, why in error.problems.items() if why != "is required"}
        if problems:
            raise InvalidParameters(flow.name, problems) from None


def _run(order: dict[str, Any], root: Path) -> dict[str, Any]:
    facts = order["run"]
    context = RunContext(
        id=UUID(facts["id"]),
        name=facts["name"],
        deployment=facts["deployment"],
        revision=Revision.from_json(facts["revision"]),
        scheduled_at=datetime.fromisoformat(facts["scheduled_at"]),
        parameters=order["parameters"],
        scratch=Path(facts["scratch"]),
    )
    enter_run(context)
    try:
        flow = load(parse(order["entrypoint"]), root)
        arguments = flow.validate_parameters(order["parameters"]) if flow.should_validate_parameters else None
        result = _call(flow, order["parameters"] if arguments is None else arguments)
    except EntrypointLoadFailed as error:
        return _failed("EntrypointLoadFailed", error.reason, error.details)
    except EntrypointError as error:
        return _failed(type(error).__name__, str(error), "")
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            return {"state": "completed", "has_result": False, "result": None}
        return _failed("SystemExit", f"the flow left with exit code {leaving.code}", user_traceback(leaving, root)[0])
    except BaseException as error:  # Whatever a flow raises is how it ended.
        return _failed(type(error).__name__, _text_of(error), _traceback_of(error, root))
    return {"state": "completed", **_result(result)}


def _call(flow: Flow[..., Any], values: dict[str, Any]) -> Any:
    positional, named = parameters_of(flow.fn).arguments(values)
    with prints_as_records() if flow.log_prints else contextlib.nullcontext():
        result = flow.fn(*positional, **named)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    return result


def _result(value: Any) -> dict[str, Any]:
    """`value` when it is JSON and small, else a note of its type and size."""
    try:
        text = json.dumps(value, allow_nan=False)
        if len(text) <= MAX_RESULT_BYTES and json.loads(text) == value:
            return {"has_result": True, "result": value}
        note = f"a result of {len(text)} bytes was not kept" if len(text) > MAX_RESULT_BYTES else None
    except (TypeError, ValueError, RecursionError):
        note = None
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return {"has_result": False, "result": note or f"a result of type {kind} was not kept: it is not JSON"}


def _failed(kind: str, message: str, details: str) -> dict[str, Any]:
    return {"state": "failed", "failure": {"kind": kind, "message": message, "traceback": details}}


def _text_of(error: BaseException) -> str:
    """What an exception says, even when it cannot say it."""
    try:
        return str(error)
    except Exception as worse:
        return f"<its text raised {type(worse).__name__}>"


def _traceback_of(error: BaseException, root: Path) -> str:
    try:
        return user_traceback(error, root)[0]
    except Exception:
        return "".join(traceback.format_tb(error.__traceback__))
