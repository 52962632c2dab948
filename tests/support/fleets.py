"""Servers, runners and people on hosts of their own, which reach each other over TLS alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import trustme

from flowsource.store import open_store
from flowsource.tokens import Scope
from tests.server.serving import make_token
from tests.support.hosts import Host
from tests.support.servers import environ
from tests.support.serving import ServingScript, started
from tests.support.waiting import PATIENCE

_PORT = 8787
_READY = "Serving the store at "


@dataclass
class HostedServer:
    """`flowsource server start` on a host, which others reach at `url`."""

    host: Host
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{self.host.address}:{_PORT}"

    @property
    def said(self) -> str:
        """All that it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self, *, within: float = PATIENCE) -> None:
        """Return once it serves; raises AssertionError if it ends or time passes before."""
        deadline = monotonic() + within
        while _READY not in self.said:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.said}"
            assert monotonic() < deadline, f"it did not start:\n{self.said}"
            sleep(0.02)


@dataclass
class Fleet:
    """What belongs together: one store at the address `store`, and who trusts the one authority. All is below `place`.

    A server is started by the command `server` (by default that of flowsource), with `variables` like all else.
    """

    place: Path
    store: str
    server_command: tuple[str, ...] = (sys.executable, "-m", "flowsource", "server", "start")
    variables: Mapping[str, str] = field(default_factory=dict)
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca_file(self) -> Path:
        """The certificate that all trust."""
        file = self.place / "authority.pem"
        if not file.exists():
            self.authority.cert_pem.write_to_path(file)
        return file

    @contextmanager
    def server(self, host: Host, **said: str) -> Iterator[HostedServer]:
        """A server on `host`, which is starting; it is ended with the context."""
        home = self.place / f"server-{host.address}"
        home.mkdir(mode=0o700)
        certificate, key = home / "certificate.pem", home / "key.pem"
        issued = self.authority.issue_cert(host.address)
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        reached = ("--host", host.address, "--name", host.address, "--port", str(_PORT))
        speaking = ("--certificate", str(certificate), "--key", str(key))
        log = home / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                host.command(*self.server_command, *reached, *speaking),
                env=environ(home, FLOWSOURCE_STORE=self.store, **self.variables, **said),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        try:
            yield HostedServer(host, process, log)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.wait()

    async def token(self, name: str, scope: Scope) -> Path:
        """A file with the secret of a new token, made by who opens the store itself."""
        async with open_store(self.store) as store:
            secret = await make_token(store, name, scope)
        return written(self.place / f"{name}.token", secret)

    def access(self, server: HostedServer, token: Path) -> dict[str, str]:
        """The variables with which a process uses that server."""
        return {
            "FLOWSOURCE_STORE": server.url,
            "FLOWSOURCE_TOKEN_FILE": str(token),
            "FLOWSOURCE_CA_FILE": str(self.ca_file),
        }

    def home(self, host: Host) -> Path:
        """The home of what runs on `host`."""
        return self.place / f"home-{host.address}"

    @contextmanager
    def runner(
        self, host: Host, script: Path, server: HostedServer, token: Path, **said: str
    ) -> Iterator[ServingScript]:
        """`script` on `host`, which serves by way of `server`; it is starting."""
        variables = {**self.variables, **self.access(server, token), **said}
        with started(script, self.home(host), environ=variables, through=host.command()) as serving:
            yield serving

    def ask(self, host: Host, server: HostedServer, token: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """`flowsource` as somebody on `host` says it."""
        return subprocess.run(
            host.command(sys.executable, "-m", "flowsource", *words),
            env=environ(self.place / f"person-{host.address}", **self.access(server, token)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def stop(serving: Sequence[ServingScript]) -> list[int]:
    """End them all at once, as a service manager would; their exit codes."""
    for one in serving:
        one.process.terminate()
    return [one.process.wait(PATIENCE) for one in serving]


def written(file: Path, text: str) -> Path:
    """`file`, once it has that text."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file
