"""`serve`: from declared deployments to a running server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from signal import SIGINT, SIGTERM
from typing import Any, Literal, Unpack
from uuid import uuid4

import anyio

from flowsource.context import is_run_process
from flowsource.deployments import Declaration, DeploymentOptions
from flowsource.entrypoints import parse
from flowsource.errors import FlowsourceError, InvalidDeployment
from flowsource.flows import Flow
from flowsource.runner.origin import Origin, origin_of
from flowsource.runner.processes import ForkServer
from flowsource.runner.service import Runner, Workshop
from flowsource.runner.startup import first_error, register
from flowsource.runner.terminal import Terminal
from flowsource.schedules import schedule_from_arguments
from flowsource.settings import Settings
from flowsource.snapshots.cache import SnapshotCache
from flowsource.store import open_store

GRACE = timedelta(seconds=20)

Limit = int | Literal["cpus"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerDeployment:
    """A deployment that was declared and can be given to `serve`. Nothing is registered until then."""

    declared: Declaration
    origin: Origin

    @property
    def name(self) -> str:
        """The name of the deployment, without its flow's."""
        return self.declared.name


def deployment_of(
    flow: Flow[..., Any], name: str | None = None, **options: Unpack[DeploymentOptions]
) -> RunnerDeployment:
    """A deployment of `flow`; see `Flow.to_deployment`."""
    if unknown := sorted(set(options) - set(DeploymentOptions.__annotations__)):
        known = ", ".join(DeploymentOptions.__annotations__)
        raise TypeError(f"{', '.join(unknown)}: not an option of a deployment; there are {known}")
    origin = origin_of(flow)
    parse(origin.entrypoint)
    schedule = schedule_from_arguments(
        interval=options.get("interval"),
        cron=options.get("cron"),
        schedule=options.get("schedule"),
        now=datetime.now(UTC),
    )
    tags = options.get("tags") or ()
    declared = Declaration(
        name=name if name is not None else origin.entrypoint.rpartition(":")[2].rpartition(".")[2].replace("_", "-"),
        entrypoint=origin.entrypoint,
        source_key=origin.source.key,
        source_label=origin.source.label,
        parameters=dict(options.get("parameters") or {}),
        schedules=(schedule,) if schedule is not None else (),
        tags=tags if isinstance(tags, str) else tuple(tags),  # type: ignore[arg-type]  # refused there, by name
        description=options.get("description"),
        version=options.get("version"),
        limit=options.get("limit"),
        paused=options.get("paused"),
        pause_on_shutdown=options.get("pause_on_shutdown", True),
    )
    return RunnerDeployment(declared=declared, origin=origin)


def serve(
    *deployments: RunnerDeployment,
    limit: Limit = "cpus",
    pause_on_shutdown: bool | None = None,
    print_starting_message: bool = True,
) -> None:
    """Serve deployments until a signal ends it: schedule their runs and execute each in a process of its own.

    `limit` is how many runs may go on at once in this process, by default as many as there are CPUs; None means any
    number. `pause_on_shutdown` overrides what the deployments say. The first SIGINT or SIGTERM waits for runs that
    are going on, the second ends them. Raises InvalidInput, SourceError or EntrypointError before anything is
    registered; RuntimeError in a running event loop, where `aserve` is to be used.
    """
    import asyncio

    _refuse_in_a_run()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError("serve() cannot be used while an event loop is running; use `await aserve(...)` there")
    anyio.run(
        partial(
            aserve,
            *deployments,
            limit=limit,
            pause_on_shutdown=pause_on_shutdown,
            print_starting_message=print_starting_message,
        )
    )


async def aserve(
    *deployments: RunnerDeployment,
    limit: Limit = "cpus",
    pause_on_shutdown: bool | None = None,
    print_starting_message: bool = True,
) -> None:
    """As `serve`, for use in a running event loop; cancelling it ends it at once."""
    _refuse_in_a_run()
    if not deployments:
        raise InvalidDeployment("serve: there is no deployment to serve; give at least one.")
    if isinstance(limit, int) and limit < 1:
        raise InvalidDeployment(f"limit: {limit} is not 1 or more; give None for no limit.")
    if pause_on_shutdown is not None:
        deployments = tuple(
            replace(entry, declared=replace(entry.declared, pause_on_shutdown=pause_on_shutdown))
            for entry in deployments
        )
    settings = Settings.load()
    terminal = Terminal(is_quiet=not print_starting_message)
    secrets = frozenset(name for entry in deployments for name in entry.origin.source.secret_variables)
    try:
        async with (
            anyio.create_task_group() as tasks,
            open_store(settings.store) as store,
            ForkServer(without=secrets) as server,
        ):
            shop = Workshop(
                store=store,
                cache=SnapshotCache(settings.cache),
                server=server,
                terminal=terminal,
                scratch=settings.cache / "scratch",
            )
            stops = _Stops(tasks.cancel_scope.cancel)
            if threading.current_thread() is threading.main_thread():
                tasks.start_soon(_listen_for_signals, stops)
            await _serve(deployments, shop, stops, limit=(os.cpu_count() or 1) if limit == "cpus" else limit)
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        error = first_error(group)
        # Where in our tasks a person's mistake came to light tells that person nothing.
        raise error.with_traceback(None) if isinstance(error, FlowsourceError) else error from None


def _refuse_in_a_run() -> None:
    if is_run_process():
        raise InvalidDeployment(
            "serve() was called while this file was imported to load a flow from it; "
            'put the call under `if __name__ == "__main__":`.'
        )


@dataclass(slots=True)
class _Stops:
    """What a signal does: it depends on how far we are."""

    on_signal: Callable[[], None]


async def _listen_for_signals(stops: _Stops) -> None:
    with anyio.open_signal_receiver(SIGINT, SIGTERM) as signals:
        async for _ in signals:
            stops.on_signal()


async def _serve(deployments: Sequence[RunnerDeployment], shop: Workshop, stops: _Stops, *, limit: int | None) -> None:
    runner_id = uuid4()
    served = await register(runner_id, [(entry.declared, entry.origin) for entry in deployments], shop)
    runner = Runner(runner_id, served, shop, limit=limit, grace=GRACE)
    stops.on_signal = runner.stop
    shop.terminal.started([entry.deployment for entry in served])
    try:
        await runner.run()
    finally:
        with anyio.CancelScope(shield=True):
            shop.terminal.stopped(await shop.store.retire(runner_id, now=datetime.now(UTC)))
