"""`flowsource server start` in a process of its own, as a person would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from tests.support.leftovers import end_with_us
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

_READY = "Serving the store at "


@dataclass
class ServerProcess:
    """A server with its memory in `home`, or at an `address`; it can be killed and started again at the same port."""

    home: Path
    log: Path
    address: str | None = None
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    program: tuple[str, ...] = ("-m", "flowsource")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """All that it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def start(self, *options: str, within: float = PATIENCE) -> None:
        """Start it, and wait until it answers."""
        before = len(self.said)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "server", "start", "--port", str(self.port), *options],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        end_with_us(self.process)
        deadline = monotonic() + within
        while _READY not in self.said[before:]:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.said}"
            assert monotonic() < deadline, f"it did not start:\n{self.said}"
            sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGTERM, within: float = PATIENCE) -> int:
        """End it by a signal, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(within)

    @property
    def store(self) -> str:
        """The address of its store, for who opens that beside it."""
        return self.address or f"sqlite:///{self.home / 'flowsource.db'}"

    @property
    def _environ(self) -> dict[str, str]:
        return environ(self.home, **({} if self.address is None else {"FLOWSOURCE_STORE": self.address}))

    def token(self, name: str, *scopes: str) -> Path:
        """A file with the secret of a new token, made where the server is."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        command = [sys.executable, "-m", "flowsource", "server", "token", "create", name, *words]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, check=True)
        file = self.home.parent / f"{name}.token"
        file.write_text(done.stdout)
        return file


def environ(home: Path, **said: str) -> dict[str, str]:
    """The environment of a process with its memory in `home`, and no more of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWSOURCE_")}
    return {**kept, "FLOWSOURCE_HOME": str(home), **said}


@contextmanager
def server_process(home: Path, address: str | None = None) -> Iterator[ServerProcess]:
    """A started server of a store in `home`, or at an `address`; it is killed with the context at the latest."""
    home.mkdir(mode=0o700, parents=True)
    server = ServerProcess(home, home.with_name(f"{home.name}.server.log"), address)
    try:
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
