"""The part of dulwich that speaks with a server, on top of our own HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dulwich.client import AbstractHttpGitClient
from dulwich.errors import GitProtocolError

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.credentials import Login
from flowsource.sources.git.http import Answer, GitHttp, NotGit
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address

UPLOAD_PACK: Final = "git-upload-pack"
LIST_REFS: Final = b"command=ls-refs"


class Client(AbstractHttpGitClient):
    """dulwich's client for one exchange, with our HTTP below it: its own follows redirects, and to other hosts."""

    def __init__(
        self,
        address: Address,
        http: GitHttp,
        login: Login | None,
        checkpoint: Checkpoint,
    ) -> None:
        super().__init__(address.url)
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
            if not body[4:].startswith(LIST_REFS):
                answer.waiting.objects_are_to_come()
            _raise_refusal(answer)
        self._answer = answer
        return answer, answer.read


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
