"""flowsource: push to Git; the next run uses it.

The public names are imported on first use, so that `import flowsource` stays cheap.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from flowsource.context import RunContext, current_run, get_run_logger, tags
    from flowsource.deployments import ConcurrencyLimitConfig, Deployment
    from flowsource.errors import FlowsourceError
    from flowsource.events import Event
    from flowsource.flows import Flow, flow
    from flowsource.runner.asking import arun_deployment, run_deployment
    from flowsource.runner.emitting import aemit_event, emit_event
    from flowsource.runner.serving import RunnerDeployment, aserve, serve
    from flowsource.runs import Run, RunState
    from flowsource.schedules import Cron, Interval, RRule
    from flowsource.sources.git.credentials import GitCredentials
    from flowsource.sources.git.repository import GitRepository
    from flowsource.sources.git.signing.signed import SignedBy
    from flowsource.sources.local import LocalStorage
    from flowsource.sources.remote.storage import RemoteStorage
    from flowsource.triggers import (
        CompoundTrigger,
        DeploymentCompoundTrigger,
        DeploymentEventTrigger,
        DeploymentSequenceTrigger,
        EventTrigger,
        SequenceTrigger,
    )

    __version__: str

_HOMES = {
    "CompoundTrigger": "triggers",
    "ConcurrencyLimitConfig": "deployments",
    "Cron": "schedules",
    "Deployment": "deployments",
    "DeploymentCompoundTrigger": "triggers",
    "DeploymentEventTrigger": "triggers",
    "DeploymentSequenceTrigger": "triggers",
    "Event": "events",
    "EventTrigger": "triggers",
    "Flow": "flows",
    "FlowsourceError": "errors",
    "GitCredentials": "sources.git.credentials",
    "GitRepository": "sources.git.repository",
    "Interval": "schedules",
    "LocalStorage": "sources.local",
    "RRule": "schedules",
    "RemoteStorage": "sources.remote.storage",
    "Run": "runs",
    "RunContext": "context",
    "RunState": "runs",
    "RunnerDeployment": "runner.serving",
    "SequenceTrigger": "triggers",
    "SignedBy": "sources.git.signing.signed",
    "aemit_event": "runner.emitting",
    "arun_deployment": "runner.asking",
    "aserve": "runner.serving",
    "current_run": "context",
    "emit_event": "runner.emitting",
    "flow": "flows",
    "get_run_logger": "context",
    "run_deployment": "runner.asking",
    "serve": "runner.serving",
    "tags": "context",
}

__all__ = [
    "CompoundTrigger",
    "ConcurrencyLimitConfig",
    "Cron",
    "Deployment",
    "DeploymentCompoundTrigger",
    "DeploymentEventTrigger",
    "DeploymentSequenceTrigger",
    "Event",
    "EventTrigger",
    "Flow",
    "FlowsourceError",
    "GitCredentials",
    "GitRepository",
    "Interval",
    "LocalStorage",
    "RRule",
    "RemoteStorage",
    "Run",
    "RunContext",
    "RunState",
    "RunnerDeployment",
    "SequenceTrigger",
    "SignedBy",
    "aemit_event",
    "arun_deployment",
    "aserve",
    "current_run",
    "emit_event",
    "flow",
    "get_run_logger",
    "run_deployment",
    "serve",
    "tags",
]


if not TYPE_CHECKING:  # With this in sight, a type checker would take any misspelt name for a public one.

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            return version("flowsource")
        if name not in _HOMES:
            raise AttributeError(f"module 'flowsource' has no attribute {name!r}")
        from importlib import import_module

        home = "refusing" if name in ("aserve", "serve") and _only_loads_a_flow() else _HOMES[name]
        value = getattr(import_module(f"flowsource.{home}"), name)
        globals()[name] = value
        return value


def _only_loads_a_flow() -> bool:
    """Whether this process was started for a run, or to look at a flow."""
    import sys

    context = sys.modules.get("flowsource.context")
    return context is not None and context.is_run_process()


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
