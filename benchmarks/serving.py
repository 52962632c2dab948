"""What the benchmarks of a served process share: a script that serves, and somebody else who asks it for runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from benchmarks.processes import children_of, cpu_of, cpu_of_ended_children
from flowsource.runner.requests import request_run, wait_until_final
from flowsource.runs import Run, RunState
from flowsource.settings import Settings
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS

T = TypeVar("T")

READY = b"Ask for a run:"
START_WITHIN = 60.0
STOP_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of CPU so far: of the serving process, and of its fork server with all runs that have ended."""

    serving: float
    running: float

    def __sub__(self, earlier: Usage) -> Usage:
        return Usage(self.serving - earlier.serving, self.running - earlier.running)

    @property
    def whole(self) -> float:
        """Of the whole tree."""
        return self.serving + self.running


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves, which was ready `ready_after` seconds after it was started."""

    pid: int
    ready_after: float

    @property
    def fork_server(self) -> int:
        """The process that starts its runs."""
        [pid] = children_of(self.pid)
        return pid

    def usage(self) -> Usage:
        """What it has used so far. Of runs that have ended this is exact to a hundredth of a second in all."""
        guardian = self.fork_server
        return Usage(cpu_of(self.pid), cpu_of(guardian) + cpu_of_ended_children(guardian))


@contextmanager
def serving(script: str, home: Path, said: Mapping[str, str] = {}) -> Iterator[Server]:
    """Run the script, which calls `serve`, with its cache in `home`, and its memory unless the variables that are
    `said` name another, until the block ends.

    Raises RuntimeError, with what it wrote, when it does not become ready or does not stop in order.
    """
    home.mkdir(parents=True, exist_ok=True)
    file, log = home / "serve.py", home / "serve.log"
    file.write_text(script, encoding="utf-8")
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(file)],
            env={**_environment(home), **said},
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        while READY not in log.read_bytes():
            if process.poll() is not None or time.perf_counter() - began > START_WITHIN:
                raise RuntimeError(f"the server did not become ready; it wrote:\n{log.read_text()}")
            time.sleep(0.001)
        yield Server(process.pid, time.perf_counter() - began)
        process.send_signal(signal.SIGTERM)
        if process.wait(STOP_WITHIN) != 0:
            raise RuntimeError(f"the server ended with {process.returncode}; it wrote:\n{log.read_text()}")
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class HttpServer:
    """`flowsource server start`, and the secret of a token that may do everything there."""

    pid: int
    url: str
    token: str


@contextmanager
def server_started(home: Path, store: str) -> Iterator[HttpServer]:
    """A server in front of the store at that address, until the block ends."""
    home.mkdir(parents=True)
    log, ready = home / "server.log", "Serving the store at "
    command = [sys.executable, "-m", "flowsource", "server", "start", "--port", "0"]
    environment = {**_environment(home), "FLOWSOURCE_STORE": store}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, process_group=0)
    try:
        began = time.perf_counter()
        while ready not in log.read_text():
            if process.poll() is not None or time.perf_counter() - began > START_WITHIN:
                raise RuntimeError(f"the server did not become ready; it wrote:\n{log.read_text()}")
            time.sleep(0.01)
        url = log.read_text().partition(ready)[2].split(";")[0]
        file = home / "server-token"
        yield HttpServer(process.pid, url, file.read_text().strip() if file.exists() else "")
    finally:
        process.terminate()
        process.wait(STOP_WITHIN)


class Asker:
    """A process that has the store open and asks for runs: this one. Its store is used from a thread with a loop."""

    def __init__(self, portal: BlockingPortal, store: Store) -> None:
        self._portal = portal
        self.store = store

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns, in the loop of the store."""

        async def wait() -> T:
            return await work

        return self._portal.call(wait)

    async def ask(self, name: str) -> Run:
        """Ask for a run of the deployment, without parameters, and return it as it was asked for."""
        return await request_run(self.store, name, {})

    async def wait(self, run: Run) -> Run:
        """The run once it has completed; raises RuntimeError if it fails."""
        return completed(await wait_until_final(self.store, run))

    async def wait_until_active(self, name: str, commit: str) -> None:
        """Wait until the deployment `name` serves `commit`."""
        async with self.store.changes(DEPLOYMENTS) as ear:
            while (await self.store.deployment(name)).active.id != commit:
                await ear.wait(timedelta(seconds=1))

    async def run(self, name: str) -> Run:
        """Ask for a run of the deployment, and return it once it has completed; raises RuntimeError if it fails."""
        return await self.wait(await self.ask(name))


@contextmanager
def asking(home: Path) -> Iterator[Asker]:
    """Somebody who asks the server with that `home`."""
    settings = Settings.load({"FLOWSOURCE_HOME": str(home)})
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_store(settings.store)) as store,
    ):
        yield Asker(portal, store)


def completed(run: Run) -> Run:
    """The run; raises RuntimeError if it did not complete, because a time of a failure is no time."""
    if run.state is not RunState.COMPLETED:
        raise RuntimeError(f"run {run.name} {run.state}: {run.failure}")
    return run


def _environment(home: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FLOWSOURCE_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)  # Users run from bytecode.
    return {**ours, "FLOWSOURCE_HOME": str(home)}
