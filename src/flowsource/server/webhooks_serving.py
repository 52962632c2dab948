"""Serving the door for webhooks over HTTP until a signal ends it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from anyio.abc import TaskStatus

from flowsource.errors import InvalidInput
from flowsource.server.webhooks_door import WebhookDoor
from flowsource.server.webhooks_hints import Hints
from flowsource.store.protocol import Store

# So many bodies of the largest size are held at once, at most.
_AT_ONCE = 256


class _Server(uvicorn.Server):
    """One that leaves signals to us: it would send them to itself again when it has ended."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to none."""
        yield


async def serve_webhooks(
    store: Store, secret: Callable[[], bytes], *, host: str, port: int, on_ready: Callable[[str], None]
) -> None:
    """Take webhooks at `host` and `port` (0 for a free one) and pass their hints to `store`, until SIGINT or SIGTERM.

    `on_ready` is given the address to send them to. Raises InvalidInput where it cannot listen there.
    """
    hints = Hints(store)
    with _listening(host, port) as listener:
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
        server = _Server(config)
        async with anyio.create_task_group() as tasks:

            async def until_signalled(*, task_status: TaskStatus[None]) -> None:
                with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                    task_status.started()
                    await anext(signals)
                    server.should_exit = True

            await tasks.start(until_signalled)
            tasks.start_soon(hints.run)
            name = f"[{host}]" if ":" in host else host
            on_ready(f"http://{name}:{listener.getsockname()[1]}")
            await server.serve(sockets=[listener])
            tasks.cancel_scope.cancel()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    if not 0 <= port <= 65535:
        raise InvalidInput(f"--port {port}: a port is a number up to 65535.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise InvalidInput(
            f"--host {host} --port {port}: nothing can listen there ({error.strerror}). Give another."
        ) from None
    with listener:
        yield listener
