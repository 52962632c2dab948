"""The part of dulwich that speaks with a server, on top of our own HTTP and of the system's ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from dulwich.client import AbstractHttpGitClient, FetchPackResult, LsRemoteResult, TraditionalGitClient
from dulwich.errors import GitProtocolError
from dulwich.protocol import Protocol

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.credentials import Login, SshLogin
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address
from flowsource.sources.git.wire.http import Answer, GitHttp, NotGit
from flowsource.sources.git.wire.patience import Patience, Waiting
from flowsource.sources.git.wire.ssh_session import SshSession

UPLOAD_PACK: Final = "git-upload-pack"
_LIST_REFS: Final = b"command=ls-refs"


class Client(AbstractHttpGitClient):
    """dulwich's client for one exchange, with our HTTP below it: its own follows redirects, and to other hosts."""

    def __init__(
        self,
        address: Address,
        http: GitHttp,
        login: Login | None,
        checkpoint: Checkpoint,
        *,
        thin_packs: bool = True,
    ) -> None:
        super().__init__(address.url, thin_packs=thin_packs)
        self._address, self._http, self._login, self._checkpoint = address, http, login, checkpoint
        self._answer: Answer | None = None
        # What the server said that it can do, once it was asked for refs.
        self.capabilities: frozenset[bytes] = frozenset()

    def count_objects(self, received: int) -> None:
        """Take note that bytes of the last answer were those of objects."""
        assert self._answer is not None
        self._answer.waiting.count_objects(received)

    def _discover_references(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._discover_references(*args, **kwargs)
        self.capabilities = frozenset(found[1])
        return found

    def _http_request(  # type: ignore[override]  # Answer has what dulwich uses of its HTTPResponse
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,
    ) -> tuple[Answer, object]:
        base = f"{self._address.url}/"
        if not url.startswith(base):
            # A server may name other places to download packs from. Nobody asked us to go there.
            raise NotGit(f"{self._address.url} sends us elsewhere for its objects, which is not served.")
        path, sent = url.removeprefix(base), headers or {}
        if data is None:
            answer = self._http.get(path, login=self._login, headers=sent, checkpoint=self._checkpoint)
            check_type(answer, f"application/x-{UPLOAD_PACK}-advertisement", self._address)
        else:
            body = data if isinstance(data, bytes) else b"".join(data)
            answer = self._http.post(path, body, login=self._login, headers=sent, checkpoint=self._checkpoint)
            # Of the requests with a body all others are answered with a pack.
            if not body[4:].startswith(_LIST_REFS):
                answer.waiting.objects_are_to_come()
            _raise_refusal(answer)
        self._answer = answer
        return answer, answer.read


class SshClient(TraditionalGitClient):
    """dulwich's client for one exchange, through an ssh that ends with it."""

    def __init__(
        self,
        address: Address,
        login: SshLogin,
        patience: Patience,
        checkpoint: Checkpoint,
        *,
        thin_packs: bool = True,
    ) -> None:
        super().__init__(thin_packs=thin_packs)
        self._waiting = Waiting(address.url, patience, checkpoint)
        self._begin: Callable[[], SshSession] = lambda: SshSession(address, login, patience, self._waiting)
        self._session: SshSession | None = None
        self._protocol: _Listening | None = None

    @property
    def capabilities(self) -> frozenset[bytes]:
        """What the server said that it can do, once it was asked for refs in version 2."""
        return (self._protocol and self._protocol.first_lines) or frozenset()

    def count_objects(self, received: int) -> None:
        """Take note that bytes of the answer were those of objects."""
        self._waiting.count_objects(received)

    def get_refs(self, *args: Any, **kwargs: Any) -> LsRemoteResult:
        with self._begin() as self._session:
            return super().get_refs(*args, **kwargs)

    def fetch_pack(self, *args: Any, **kwargs: Any) -> FetchPackResult:
        with self._begin() as self._session:
            return super().fetch_pack(*args, **kwargs)

    def _connect(
        self, cmd: bytes, path: str | bytes, protocol_version: int | None = None
    ) -> tuple[Protocol, Callable[[], bool], IO[bytes] | None]:
        session = self._session
        assert session is not None
        # After the last word of ours there is nothing but the objects to wait for.
        self._protocol = _Listening(session.read, session.write, shutdown_write=self._waiting.objects_are_to_come)
        return self._protocol, session.can_read, None


class _Listening(Protocol):
    """A protocol of dulwich's that keeps the first lines it reads: in version 2, what the server can do."""

    first_lines: frozenset[bytes] | None = None

    def read_pkt_seq(self) -> Iterator[bytes]:
        lines = super().read_pkt_seq()
        if self.first_lines is None:
            told = list(lines)
            self.first_lines = frozenset(told)
            return iter(told)
        return iter(lines)


def check_type(answer: Answer, expected: str, address: Address) -> None:
    """Raise NotGit for an answer of another content type than `expected`, such as a page to sign in on."""
    found = (answer.content_type or "nothing").split(";")[0].strip()
    if found != expected:
        answer.close()
        raise NotGit(f"{address.url} answers with {harmless(found)}, not as a Git server; check the URL.")


def _raise_refusal(answer: Answer) -> None:
    """Raise GitProtocolError with what the server says in place of an answer, which dulwich would not see."""
    head = answer.peek(8)
    if head[4:] == b"ERR ":
        with answer:
            raise GitProtocolError(answer.read(int(head[:4], 16))[8:].decode(errors="replace"))
