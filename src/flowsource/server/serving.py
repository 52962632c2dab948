"""Serving a store over HTTP until a signal ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta

import anyio
import uvicorn
from anyio.abc import TaskStatus

from flowsource.server.app import make_app
from flowsource.server.attendance import Attendance
from flowsource.server.guard import Application, Guard
from flowsource.server.listening import HttpServer, address_of, listening, until_signalled
from flowsource.server.options import ServerOptions
from flowsource.server.reaping import reap_the_lost
from flowsource.server.switchboard import Switchboard
from flowsource.store.protocol import Store

_AT_ONCE = 1000
_GRACE_SECONDS = 5


async def serve_store(
    store: Store,
    options: ServerOptions,
    *,
    on_ready: Callable[[str], None],
    stopping: anyio.Event | None = None,
) -> None:
    """Serve `store` until SIGINT or SIGTERM, or until `stopping` is set where that is given; requests that are going
    on have some seconds to end. Runners that are out of sight are found out meanwhile.

    `on_ready` is given the address. Raises InvalidInput where it cannot listen there.
    """
    with listening(options.host, options.port) as listener:
        async with anyio.create_task_group() as tasks:
            if stopping is None:
                stopping = anyio.Event()
                await tasks.start(_set_when_signalled, stopping)
            tasks.start_soon(reap_the_lost, store)
            scheme = "https" if options.certificate is not None else "http"
            on_ready(address_of(listener, options.host, scheme=scheme) + options.prefix)
            await serve_at(listener, store, options, stopping=stopping)
            tasks.cancel_scope.cancel()


async def serve_at(
    listener: socket.socket,
    store: Store,
    options: ServerOptions,
    *,
    stopping: anyio.Event,
    alone_for: timedelta | None = None,
) -> None:
    """Serve `store` at `listener` until `stopping` is set, or until nobody has come for so long."""
    switchboard = Switchboard(store)
    app = make_app(store, switchboard, prefix=options.prefix)
    attendance = Attendance(Guard(app, options.names, app.state.metrics.requests))
    server = HttpServer(_config(attendance, options))

    async def stop_when_told() -> None:
        await stopping.wait()
        # Those who wait for news go, so that nobody has to be cut off.
        switchboard.close()
        app.state.streams.close()
        server.should_exit = True

    async def stop_when_alone(length: timedelta) -> None:
        await attendance.until_alone(length)
        stopping.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(switchboard.run)
        tasks.start_soon(stop_when_told)
        if alone_for is not None:
            tasks.start_soon(stop_when_alone, alone_for)
        await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()


async def _set_when_signalled(stopping: anyio.Event, *, task_status: TaskStatus[None]) -> None:
    await until_signalled(task_status=task_status)
    stopping.set()


def _config(app: Application, options: ServerOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        root_path=options.prefix,
        proxy_headers=bool(options.proxies),
        forwarded_allow_ips=list(options.proxies),
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        limit_concurrency=_AT_ONCE,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
