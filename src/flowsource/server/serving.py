"""Serving a store over HTTP until a signal ends it."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import uvicorn
from anyio.abc import TaskStatus

from flowsource.server.app import make_app
from flowsource.server.guard import Guard
from flowsource.server.listening import HttpServer, address_of, listening, until_signalled
from flowsource.server.options import ServerOptions
from flowsource.server.reaping import reap_the_lost
from flowsource.server.sessions import Sessions
from flowsource.server.switchboard import Switchboard
from flowsource.store.protocol import Store

_AT_ONCE = 1000
_GRACE_SECONDS = 5


async def serve_store(
    store: Store,
    options: ServerOptions,
    *,
    on_ready: Callable[[str, Sessions], None],
    stopping: anyio.Event | None = None,
) -> None:
    """Serve `store` until SIGINT or SIGTERM, or until `stopping` is set where that is given; requests that are going
    on have some seconds to end.

    `on_ready` is given the address, and the sessions of browsers. Raises InvalidInput where it cannot listen there.
    """
    switchboard = Switchboard(store)
    sessions = Sessions()
    app = make_app(store, switchboard, sessions, prefix=options.prefix)
    with listening(options.host, options.port) as listener:
        server = HttpServer(_config(Guard(app, options.names, app.state.metrics.requests), options))

        async def stop_when_told(*, task_status: TaskStatus[None]) -> None:
            if stopping is None:
                await until_signalled(task_status=task_status)
            else:
                task_status.started()
                await stopping.wait()
            # Those who wait for news go, so that nobody has to be cut off.
            switchboard.close()
            server.should_exit = True

        async with anyio.create_task_group() as tasks:
            await tasks.start(stop_when_told)
            tasks.start_soon(switchboard.run)
            tasks.start_soon(reap_the_lost, store)
            scheme = "https" if options.certificate is not None else "http"
            on_ready(address_of(listener, options.host, scheme=scheme) + options.prefix, sessions)
            await server.serve(sockets=[listener])
            tasks.cancel_scope.cancel()


def _config(app: Guard, options: ServerOptions) -> uvicorn.Config:
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
