"""The load check: what the code of a snapshot says of a flow, found out in a clean process."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from flowsource.deployments import Declaration, FlowFacts, Rejection, check_name
from flowsource.errors import InvalidDeployment
from flowsource.runner.conversation import converse
from flowsource.runner.output.lines import LineSplitter
from flowsource.runner.processes.starter import Starter
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot

CHECK_DEADLINE = timedelta(seconds=30)
_LINES_KEPT = 20


async def inspect_entrypoint(
    server: Starter,
    cache: SnapshotCache,
    snapshot: Snapshot,
    declared: Declaration,
    *,
    deadline: timedelta = CHECK_DEADLINE,
) -> FlowFacts | Rejection:
    """Load the entrypoint of `declared` from `snapshot` in a process of its own, and hold its parameters against it.

    Returns the facts, or why the revision cannot serve: it does not load, has no such flow, takes other parameters,
    or takes longer than `deadline`.
    """
    entrypoint = declared.entrypoint
    order = {
        "kind": "inspect",
        "entrypoint": entrypoint,
        "root": str(snapshot.root),
        "directory": str(snapshot.root),
        "is_mounted": snapshot.is_mounted,
        "bytecode": str(cache.bytecode(snapshot)),
        "parameters": [{**declared.parameters, **given} for given in ({}, *(s.parameters for s in declared.schedules))],
        "instance": declared.instance,
    }
    answers: list[dict[str, Any]] = []
    written: deque[str] = deque(maxlen=_LINES_KEPT)
    splitter = LineSplitter()
    status = None
    # Nobody has less of his time because others wait too.
    async with server.looks:
        with cache.lease(snapshot), anyio.move_on_after(deadline.total_seconds()):
            how = await converse(
                server,
                order,
                on_output=lambda data: written.extend(splitter.feed(data)),
                on_message=answers.append,
            )
            status = how.status
    written.extend(splitter.close())

    def rejected(kind: str, message: str, details: str) -> Rejection:
        return Rejection(revision=snapshot.revision, kind=kind, message=message, details=details, at=datetime.now(UTC))

    if not answers:
        if status is None:
            message = f"{entrypoint!r} was not loaded after {deadline.total_seconds():g} s"
            return rejected("timeout", message, "\n".join(written))
        message = f"{entrypoint!r} ended the process that imported it, with exit code {status}"
        return rejected("crash", message, "\n".join(written))
    answer = answers[0]
    if answer["type"] == "rejected":
        return rejected(answer["kind"], answer["message"], answer["details"])
    try:
        check_name(answer["name"])
    except InvalidDeployment as error:
        return rejected("invalid", str(error), "")
    return FlowFacts(
        name=answer["name"],
        description=answer["description"],
        version=answer["version"],
        parameter_schema=answer["parameter_schema"],
        hooks=tuple(answer["hooks"]),
    )
