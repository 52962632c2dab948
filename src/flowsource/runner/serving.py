"""`serve`: from declared deployments to a running server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from flowsource import refusing
from flowsource.context import is_run_process
from flowsource.declaring import (
    check_global_limit,
    check_length,
    check_limit,
    check_modules,
    check_options,
    check_paths,
    check_pause_on_shutdown,
    check_tags,
)
from flowsource.deployments import GRACE, Declaration, DeploymentOptions, check_name
from flowsource.entrypoints import parse
from flowsource.errors import FlowsourceError, InvalidDeployment
from flowsource.flows import Flow

if TYPE_CHECKING:
    from flowsource.runner.origin import Origin

# What serving takes is imported by those who serve: a script names `serve` at its top, and each run imports the script.

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
    from flowsource.runner.origin import origin_of

    return deployment_at(origin_of(flow), name, **options)


def deployment_at(origin: Origin, name: str | None = None, **options: Unpack[DeploymentOptions]) -> RunnerDeployment:
    """A deployment of the flow at `origin`; see `Flow.to_deployment`. Raises EntrypointMalformed as well."""
    from flowsource.schedules.arguments import schedules_from_arguments
    from flowsource.triggers.arguments import triggers_from_arguments

    check_options(options)
    parse(origin.entrypoint)
    schedules = schedules_from_arguments(
        interval=options.get("interval"),
        cron=options.get("cron"),
        rrule=options.get("rrule"),
        schedule=options.get("schedule"),
        schedules=options.get("schedules"),
    )
    global_limit, collision_strategy = check_global_limit(
        options.get("global_limit"), options.get("collision_strategy")
    )
    max_lateness = options.get("max_lateness")
    by_default = origin.entrypoint.rpartition(":")[2].rpartition(".")[2].replace("_", "-")
    declared = Declaration(
        name=check_name(by_default if name is None else _stem_of_file(name)),
        entrypoint=origin.entrypoint,
        source_key=origin.source.key,
        source_label=origin.source.label,
        source_selector=origin.source.selector,
        parameters=dict(options.get("parameters") or {}),
        schedules=schedules,
        triggers=triggers_from_arguments(options),
        tags=check_tags(options.get("tags")),
        description=options.get("description"),
        version=options.get("version"),
        limit=options.get("limit"),
        global_limit=global_limit,
        collision_strategy=collision_strategy,
        paused=options.get("paused"),
        pause_on_shutdown=options.get("pause_on_shutdown", True),
        paths=check_paths(options.get("paths")),
        on_dependency_change=options.get("on_dependency_change", "report"),
        catchup=options.get("catchup", "latest"),
        max_lateness=None if max_lateness is None else check_length(max_lateness, name="max_lateness"),
        on_lost=options.get("on_lost", "crash"),
        workdir=options.get("workdir", "snapshot"),
        freshness=options.get("freshness", "poll"),
        preload=check_modules(options.get("preload")),
        grace=check_length(options.get("grace_seconds", GRACE), name="grace_seconds"),
        instance=str(origin.instance) if origin.instance is not None else None,
    )
    return RunnerDeployment(declared=declared, origin=origin)


def serve(
    *deployments: RunnerDeployment,
    limit: Limit = "cpus",
    pause_on_shutdown: bool | None = None,
    print_starting_message: bool = True,
    webserver: bool = True,
    log_format: str | None = None,
    store: str | None = None,
) -> None:
    """Serve deployments until a signal ends it: schedule their runs and execute each in a process of its own.

    `limit` is how many runs may go on at once in this process, by default as many as there are CPUs; None means any
    number. `pause_on_shutdown` overrides what the deployments say. The first SIGINT or SIGTERM waits for runs that
    are going on, the second ends them. With `webserver` there is a dashboard, for this machine alone. `log_format`
    ("text" or "json": how what happens is told on standard error) and `store` (the address of the store) win over the
    settings of these names. Raises InvalidInput, InvalidSettings, SourceError or EntrypointError before anything is
    registered; RuntimeError in a running event loop, where `aserve` is to be used.
    """
    import asyncio

    import anyio

    _refuse_in_a_run()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError("serve() cannot be used while an event loop is running; use `await aserve(...)` there")
    work = partial(
        aserve,
        *deployments,
        limit=limit,
        pause_on_shutdown=pause_on_shutdown,
        print_starting_message=print_starting_message,
        webserver=webserver,
        log_format=log_format,
        store=store,
    )
    try:
        anyio.run(work)
    except FlowsourceError as error:
        # Where in our tasks a person's mistake came to light tells that person nothing.
        raise error.with_traceback(None) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # A Ctrl-C before anybody listened for it.


async def aserve(
    *deployments: RunnerDeployment,
    limit: Limit = "cpus",
    pause_on_shutdown: bool | None = None,
    print_starting_message: bool = True,
    webserver: bool = True,
    log_format: str | None = None,
    store: str | None = None,
) -> None:
    """As `serve`, for use in a running event loop; cancelling it ends the runs that are going on, and it, at once."""
    _refuse_in_a_run()

    from flowsource.runner.lifetime import serve_until_stopped
    from flowsource.runner.output.terminal import Terminal, telling_records
    from flowsource.runner.startup import first_error
    from flowsource.settings import Settings

    _check_deployments(deployments)
    if limit != "cpus":
        check_limit(limit)
    if pause_on_shutdown is not None:
        check_pause_on_shutdown(pause_on_shutdown)
        deployments = tuple(
            replace(entry, declared=replace(entry.declared, pause_on_shutdown=pause_on_shutdown))
            for entry in deployments
        )
    declared = [(entry.declared, entry.origin) for entry in deployments]
    settings = Settings.load(log_format=log_format, store=store)
    terminal = Terminal(is_quiet=not print_starting_message, log_format=settings.log_format)
    try:
        with telling_records(terminal) if settings.log_format == "json" else nullcontext():
            most = (os.cpu_count() or 1) if limit == "cpus" else limit
            await serve_until_stopped(declared, settings, terminal, limit=most, webserver=webserver)
    except BaseExceptionGroup as group:
        raise first_error(group) from None
    finally:
        terminal.close()


def _stem_of_file(name: str) -> str:
    """`name`, or that of the file it leads to without its ending: so `serve(__file__)` names a deployment."""
    # What is no text is for `check_name` to refuse; what no file can be called is no file.
    path = Path(name) if isinstance(name, str) and "\0" not in name else None
    return path.stem if path is not None and path.is_file() else name


def _check_deployments(deployments: Sequence[object]) -> None:
    if not deployments:
        raise InvalidDeployment("serve: there is no deployment to serve; give at least one.")
    for given in deployments:
        if isinstance(given, Flow):
            raise InvalidDeployment(
                f"serve: {given!r} is a flow, not a deployment; give what its `to_deployment(name=...)` returns."
            )
        if not isinstance(given, RunnerDeployment):
            raise InvalidDeployment(
                f"serve: a {type(given).__name__} is not a deployment; give each one, as `to_deployment` returned it."
            )


def _refuse_in_a_run() -> None:
    if is_run_process():
        refusing.serve()
