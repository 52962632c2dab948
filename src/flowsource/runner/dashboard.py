"""The dashboard of a serving process: listened for from the start, and served, by a process of its own, once somebody
comes."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import anyio
from anyio.abc import Process

from flowsource.addresses import kind_of
from flowsource.logins import local_link
from flowsource.runner.announcing import announced
from flowsource.settings import Settings
from flowsource.store.protocol import Store

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
_MODULE = "flowsource.server.embedded"
_AGAIN_AFTER = timedelta(seconds=2)
# What somebody is looking at is cut off: he sees that it ended anyway.
_PATIENCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard at `url`: ours, or that of the server of our store."""

    url: str
    is_ours: bool

    async def link(self, store: Store) -> str:
        """The URL by which a person comes in at once, where that is ours to say; else that of the door."""
        return self.url + await local_link(store) if self.is_ours else self.url


@asynccontextmanager
async def open_dashboard(settings: Settings) -> AsyncIterator[Dashboard | None]:
    """Have a dashboard of the store, on this machine alone, while the context is open.

    None where there is no port for it, which is no reason not to serve. Where the store is that of a server, the
    dashboard is that server's.
    """
    if kind_of(settings.store) == "server":
        yield Dashboard(settings.store, is_ours=False)
        return
    if (listener := _listener(settings.dashboard)) is None:
        yield None
        return
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    with listener, ExitStack() as told:
        try:
            told.enter_context(announced(settings.signs, url))
        except OSError as error:
            logger.warning("`flowsource dashboard` does not find the dashboard: %s", error)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_serve_who_comes, listener, settings)
            try:
                yield Dashboard(url, is_ours=True)
            finally:
                tasks.cancel_scope.cancel()


def _listener(port: int) -> socket.socket | None:
    for each in (port, 0):
        try:
            return socket.create_server((HOST, each))
        except OSError as error:
            if each and error.errno == errno.EADDRINUSE:
                continue  # Any other will do: its address is told.
            logger.warning("there is no dashboard: nothing can listen at %s:%d (%s)", HOST, each, error.strerror)
            return None
    return None


async def _serve_who_comes(listener: socket.socket, settings: Settings) -> None:
    while True:
        # Whoever comes waits in the queue of the listener until he is served. The process that serves it is heavier
        # than we are, and ends when nobody has come for a while.
        await anyio.wait_readable(listener)
        try:
            code = await _serve_by_another(listener, settings)
        except OSError as error:
            # Such as no memory, or no descriptors. Runs go on, whether somebody can look at them or not.
            logger.warning("the dashboard cannot be started, and will be when somebody comes: %s", error)
            await anyio.sleep(_AGAIN_AFTER.total_seconds())
            continue
        if code:
            logger.warning("the dashboard ended with %d; it is started again when somebody comes", code)
            await anyio.sleep(_AGAIN_AFTER.total_seconds())


async def _serve_by_another(listener: socket.socket, settings: Settings) -> int:
    """Have the dashboard served by a process until that ends, and return its exit code."""
    process = await anyio.open_process(
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=None,
        env={**os.environ, **settings.as_variables()},
        pass_fds=[listener.fileno()],
        # A Ctrl-C is for us: we end it when the last run has ended.
        start_new_session=True,
    )
    try:
        # Not as an argument, which others on this machine could read: the address may hold a password.
        given = json.dumps({"store": settings.store, "listener": listener.fileno()})
        assert process.stdin is not None
        # One that has died already says so by its exit code.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await process.stdin.send(f"{given}\n".encode())
        return await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _end(process: Process) -> None:
    # It ends when its input does, as it would if we were killed.
    assert process.stdin is not None
    await process.stdin.aclose()
    with anyio.move_on_after(_PATIENCE.total_seconds()):
        await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):  # It has ended just now.
            process.send_signal(signal.SIGKILL)
        await process.wait()
