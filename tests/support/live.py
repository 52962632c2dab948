"""A serving process seen from an event loop, with the store that it shares with us."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from flowsource.deployments import Deployment
from flowsource.runs import Run
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.support.serving import READY, ServingScript, started
from tests.support.waiting import PATIENCE


@dataclass
class Serving:
    """A script that serves, and its store."""

    script: ServingScript
    store: Store

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process."""
        return self.script.process

    @property
    def said(self) -> str:
        """All that it wrote to standard error and output."""
        return self.script.output

    async def until_said(self, text: str, *, within: float = PATIENCE) -> None:
        """Wait until it said `text`; raises AssertionError, with all it said, when it ends or takes too long."""
        await self.until(lambda: text in self.said, f"it to say {text!r}", within=within)

    async def until(self, condition: Any, what: str, *, within: float = PATIENCE) -> None:
        """Wait for a plain or an async condition."""
        try:
            with anyio.fail_after(within):
                while True:
                    met = condition()
                    if await met if hasattr(met, "__await__") else met:
                        return
                    assert self.process.poll() is None, f"it ended while we waited for {what}:\n{self.said[-4000:]}"
                    await anyio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"waited {within} s for {what}; it said:\n{self.said[-4000:]}") from None

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

        await self.until(has_ended, f"{run.name} to end")
        return await self.store.run(str(run.id))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code once it is gone."""
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self, *, within: float = PATIENCE) -> int:
        """Wait until the process is gone; its exit code."""
        try:
            with anyio.fail_after(within):
                while (code := self.process.poll()) is None:  # noqa: ASYNC110 - a process sets no event
                    await anyio.sleep(0.01)
                return code
        except TimeoutError:
            raise AssertionError(f"it did not end within {within} s; it said:\n{self.said[-4000:]}") from None


@asynccontextmanager
async def serving(
    script: Path,
    home: Path,
    *,
    until_started: bool = True,
    environ: Mapping[str, str] | None = None,
    address: str | None = None,
) -> AsyncIterator[Serving]:
    """Start `script` with a memory under `home`, or at an `address`; it is ended with the block, if not before."""
    elsewhere = {"FLOWSOURCE_STORE": address} if address is not None else {}
    with started(script, home, environ={**elsewhere, **(environ or {})}) as running:
        async with open_store(address or f"sqlite:///{home / 'flowsource.db'}") as store:
            server = Serving(running, store)
            if until_started:
                # On a machine with much else to do a start takes long, and that is not what is tested.
                await server.until_said(READY)
            yield server


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
