"""The process that serves the dashboard of a serving process, from when somebody comes until nobody has for a while."""

from __future__ import annotations

import json
import os
import socket
from datetime import timedelta
from functools import partial

import anyio

from flowsource.runner.output.terminal import Terminal, telling_records
from flowsource.server.options import ServerOptions
from flowsource.server.serving import serve_at
from flowsource.settings import Settings
from flowsource.store import open_store

ALONE_FOR = timedelta(minutes=10)
_STDIN = 0


def main() -> None:
    """Serve at the socket, and over the store, that a line of standard input names; until standard input ends."""
    given = json.loads(os.read(_STDIN, 1 << 16))
    settings = Settings.load(store=given["store"])
    terminal = Terminal(is_quiet=True, log_format=settings.log_format)
    with telling_records(terminal), socket.socket(fileno=given["listener"]) as listener:
        anyio.run(partial(_serve, settings.store, listener))
    terminal.close()


async def _serve(address: str, listener: socket.socket) -> None:
    async with open_store(address) as store:
        stopping = anyio.Event()

        async def stop_with_our_parent() -> None:
            await anyio.wait_readable(_STDIN)
            stopping.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_with_our_parent)
            await serve_at(listener, store, ServerOptions(), stopping=stopping, alone_for=ALONE_FOR)
            tasks.cancel_scope.cancel()


if __name__ == "__main__":
    main()
