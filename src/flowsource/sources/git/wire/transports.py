"""How bytes are exchanged with a server: over HTTP, or through ssh."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.credentials import Login, SshLogin
from flowsource.sources.git.limits import LONGEST_TALK
from flowsource.sources.git.urls import Address
from flowsource.sources.git.wire.client import UPLOAD_PACK, Client, SshClient, check_type
from flowsource.sources.git.wire.http import GitHttp, NotGit
from flowsource.sources.git.wire.http_settings import HttpSettings
from flowsource.sources.git.wire.packets import FLUSH, read_line
from flowsource.sources.git.wire.patience import Patience, Waiting
from flowsource.sources.git.wire.ssh_session import SshSession

# What the attempt authenticates with: a Login over HTTP, an SshLogin over SSH, nothing with either.
AnyLogin: TypeAlias = Login | SshLogin | None


class Answer(Protocol):
    """The answer to one request, read as it comes. A context manager; leaving it ends the exchange."""

    @property
    def waiting(self) -> Waiting:
        """How long is waited for it."""

    def read(self, amt: int | None = None) -> bytes:
        """Exactly `amt` bytes, or fewer where it ends; all of it without `amt`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Transport(Protocol):
    """One server, asked in one way."""

    def ask(self, body: bytes, *, login: AnyLogin, checkpoint: Checkpoint) -> Answer:
        """The answer to `body`, a request in version 2; raises SourceError for a server that gives none."""

    def client(self, login: AnyLogin, checkpoint: Checkpoint, *, thin_packs: bool = True) -> Client | SshClient:
        """What asks for capabilities, and speaks the older versions, for one exchange."""


def transport_to(address: Address, patience: Patience, settings: HttpSettings) -> Transport:
    """The way to an http, https or ssh `address`."""
    return _Ssh(address, patience) if address.scheme == "ssh" else _Http(address, patience, settings)


class _Http:
    """Over HTTP, with connections that are kept."""

    def __init__(self, address: Address, patience: Patience, settings: HttpSettings) -> None:
        self._address = address
        self._http = GitHttp(address, patience, settings)

    def ask(self, body: bytes, *, login: AnyLogin, checkpoint: Checkpoint) -> Answer:
        assert not isinstance(login, SshLogin)
        headers = {
            "Content-Type": f"application/x-{UPLOAD_PACK}-request",
            "Accept": f"application/x-{UPLOAD_PACK}-result",
            "Git-Protocol": "version=2",
        }
        answer = self._http.post(UPLOAD_PACK, body, login=login, headers=headers, checkpoint=checkpoint)
        check_type(answer, f"application/x-{UPLOAD_PACK}-result", self._address)
        return answer

    def client(self, login: AnyLogin, checkpoint: Checkpoint, *, thin_packs: bool = True) -> Client:
        assert not isinstance(login, SshLogin)
        return Client(self._address, self._http, login, checkpoint, thin_packs=thin_packs)


class _Ssh:
    """Through an ssh of its own for each exchange."""

    def __init__(self, address: Address, patience: Patience) -> None:
        self._address, self._patience = address, patience

    def ask(self, body: bytes, *, login: AnyLogin, checkpoint: Checkpoint) -> Answer:
        assert not isinstance(login, Login)
        answer = _SshAnswer(self._address, login or SshLogin(), self._patience, checkpoint)
        try:
            answer.send(body)
        except BaseException as error:
            # Nobody has entered it yet, so nobody would leave it.
            answer.__exit__(type(error), error, error.__traceback__)
            raise
        return answer

    def client(self, login: AnyLogin, checkpoint: Checkpoint, *, thin_packs: bool = True) -> SshClient:
        assert not isinstance(login, Login)
        return SshClient(self._address, login or SshLogin(), self._patience, checkpoint, thin_packs=thin_packs)


class _SshAnswer:
    """The answer of a server at the other end of an ssh."""

    def __init__(self, address: Address, login: SshLogin, patience: Patience, checkpoint: Checkpoint) -> None:
        self._address = address
        self.waiting = Waiting(address.url, patience, checkpoint)
        self._session = SshSession(address, login, patience, self.waiting)

    def send(self, body: bytes) -> None:
        """Send a request, and that there is no other, to a server that speaks version 2."""
        # Then what it can do, which was learned before.
        greeting = list(iter(partial(read_line, self._session), None))
        if [line.strip() for line in greeting[:1]] != [b"version 2"]:
            raise NotGit(f"{self._address.url} does not speak version 2 of the protocol any more.")
        self._session.write(body + FLUSH)

    def read(self, amt: int | None = None) -> bytes:
        """Exactly `amt` bytes, or fewer where it ends; all of it without `amt`."""
        return self._session.read(LONGEST_TALK if amt is None else amt)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.__exit__(kind, error, trace)
