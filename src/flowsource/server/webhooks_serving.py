"""Serving the door for webhooks over HTTP until a signal ends it."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import uvicorn
from anyio.abc import TaskStatus

from flowsource.server.listening import HttpServer, address_of, listening, until_signalled
from flowsource.server.webhooks_door import WebhookDoor
from flowsource.server.webhooks_hints import Hints
from flowsource.store.protocol import Store

# So many bodies of the largest size are held at once, at most.
_AT_ONCE = 256


async def serve_webhooks(
    store: Store, secret: Callable[[], bytes], *, host: str, port: int, on_ready: Callable[[str], None]
) -> None:
    """Take webhooks at `host` and `port` (0 for a free one) and pass their hints to `store`, until SIGINT or SIGTERM.

    `on_ready` is given the address to send them to. Raises InvalidInput where it cannot listen there.
    """
    hints = Hints(store)
    with listening(host, port) as listener:
        config = uvicorn.Config(
            WebhookDoor(secret, hints.take),
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_AT_ONCE,
            timeout_graceful_shutdown=5,
        )
        server = HttpServer(config)
        async with anyio.create_task_group() as tasks:

            async def stop_when_told(*, task_status: TaskStatus[None]) -> None:
                await until_signalled(task_status=task_status)
                server.should_exit = True

            await tasks.start(stop_when_told)
            tasks.start_soon(hints.run)
            on_ready(address_of(listener, host))
            await server.serve(sockets=[listener])
            tasks.cancel_scope.cancel()
