"""The order that a process is given: which flow it is to call, or which hook of it, for which run. Pure."""

from __future__ import annotations

from typing import Any

from flowsource.deployments import Deployment
from flowsource.runner.workplace import Workplace
from flowsource.runs import Run


def order_for_run(run: Run, deployment: Deployment, place: Workplace) -> dict[str, Any]:
    """Have the flow called."""
    return {"kind": "run", **_flow_at(run, deployment, place)}


def order_for_hook(hook: str, run: Run, deployment: Deployment, place: Workplace) -> dict[str, Any]:
    """Have the hooks of the kind `hook` called, with the state that the run is in."""
    state = {
        "type": run.state.value,
        "name": run.state.replace("_", " ").title().replace(" ", ""),
        "message": run.failure.message if run.failure is not None else "",
    }
    return {"kind": "hook", "hook": hook, "state": state, **_flow_at(run, deployment, place)}


def _flow_at(run: Run, deployment: Deployment, place: Workplace) -> dict[str, Any]:
    assert run.revision is not None, "a claimed run has its revision"
    return {
        "entrypoint": deployment.declared.entrypoint,
        "root": str(place.snapshot.root),
        "directory": str(place.directory),
        "is_mounted": place.snapshot.is_mounted,
        "bytecode": str(place.bytecode),
        "instance": deployment.declared.instance,
        "parameters": dict(run.parameters),
        "run": {
            "id": str(run.id),
            "name": run.name,
            "deployment": run.deployment,
            "flow": run.flow,
            "attempt": run.attempt,
            "epoch": run.epoch,
            "tags": list(run.tags),
            "parent_id": str(run.parent_id) if run.parent_id is not None else None,
            "source": deployment.declared.source_label,
            "revision": run.revision.to_json(),
            "scheduled_at": run.scheduled_at.isoformat(),
            "scratch": str(place.scratch),
            "event": run.cause.event.to_json() if run.cause is not None and run.cause.event is not None else None,
        },
    }
