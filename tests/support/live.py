"""A serving process, as people start one: a script in a directory, with a memory of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from flowsource.deployments import Deployment
from flowsource.runs import Run
from flowsource.store import open_store
from flowsource.store.protocol import Store

STARTED = "Ask for a run:"


@dataclass
class Serving:
    """A process that serves, what it said so far, and the store that it shares with us."""

    process: subprocess.Popen[bytes]
    home: Path
    said_in: Path
    store: Store

    @property
    def said(self) -> str:
        """All that it wrote to standard error and output."""
        return self.said_in.read_text()

    async def until_said(self, text: str, *, within: float = 20) -> None:
        """Wait until it said `text`; raises AssertionError, with all it said, when it ends or takes too long."""
        await self.until(lambda: text in self.said, f"it to say {text!r}", within=within)

    async def until(self, condition: Any, what: str, *, within: float = 20) -> None:
        """Wait for a plain or an async condition."""
        try:
            with anyio.fail_after(within):
                while True:
                    met = condition()
                    if await met if hasattr(met, "__await__") else met:
                        return
                    assert self.process.poll() is None, f"it ended while we waited for {what}:\n{self.said}"
                    await anyio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"waited {within} s for {what}; it said:\n{self.said}") from None

    async def until_active(self, name: str, revision: str) -> Deployment:
        """Wait until the deployment `name` serves the revision of that id."""

        async def is_active() -> bool:
            return (await self.store.deployment(name)).active.id == revision

        await self.until(is_active, f"{name} to serve {revision[:7]}")
        return await self.store.deployment(name)

    async def until_final(self, run: Run) -> Run:
        """Wait until `run` has ended."""

        async def has_ended() -> bool:
            return (await self.store.run(str(run.id))).state.is_final

        await self.until(has_ended, f"{run.name} to end", within=30)
        return await self.store.run(str(run.id))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code once it is gone."""
        self.process.send_signal(number)
        with anyio.fail_after(30):
            return await anyio.to_thread.run_sync(self.process.wait)


@asynccontextmanager
async def serving(script: Path, home: Path, *, until_started: bool = True) -> AsyncIterator[Serving]:
    """Start `script` with a memory under `home`; it is ended with the block, if it has not been before."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    said_in = home.with_name(f"{home.name}.said")
    environment = {**os.environ, "FLOWSOURCE_HOME": str(home), "NO_COLOR": "1"}
    with said_in.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, str(script)], cwd=script.parent, env=environment, stdout=said, stderr=said
        )
    try:
        async with open_store(f"sqlite:///{home / 'flowsource.db'}") as store:
            server = Serving(process, home, said_in, store)
            if until_started:
                await server.until_said(STARTED)
            yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def processes_below(home: Path) -> list[int]:
    """The processes that were started with their memory under `home` and are still there."""
    wanted = f"FLOWSOURCE_HOME={home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
