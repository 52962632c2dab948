"""Listening for HTTP on an address, until somebody says that it is enough."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from anyio.abc import TaskStatus

from flowsource.errors import InvalidInput


class HttpServer(uvicorn.Server):
    """One that leaves signals to us: it would send them to itself again when it has ended."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to none."""
        yield


async def until_signalled(*, task_status: TaskStatus[None]) -> None:
    """Wait for SIGINT or SIGTERM; started once they would be heard."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        await anext(signals)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens at `host` and `port` (0 for a free one); raises InvalidInput where that cannot be."""
    if not 0 <= port <= 65535:
        raise InvalidInput(f"--port {port}: a port is a number up to 65535.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
        # Connections have it from here. Without it the body of an answer waits for the other side to have confirmed its
        # head, which that side puts off for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise InvalidInput(
            f"--host {host} --port {port}: nothing can listen there ({error.strerror}). Give another."
        ) from None
    with listener:
        yield listener


def address_of(listener: socket.socket, host: str, *, scheme: str = "http") -> str:
    """The URL at which `listener` is reached by the name `host`."""
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{listener.getsockname()[1]}"
