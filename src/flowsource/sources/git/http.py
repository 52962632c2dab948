"""One HTTP request to one Git server: no redirect, no retry, no silence without end, and errors in our words."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError, SSLError
from urllib3.util import SKIP_HEADER

from flowsource.errors import AuthenticationFailed, SourceError, SourceInvalid, SourceMissing, SourceUnavailable
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.credentials import Login
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address, redacted

_CHUNK = 1 << 16
_LONGEST_LISTING = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server may keep us waiting, in seconds: for a connection, and for the next bytes of an answer.

    An answer that is not finished must bring `slowest` bytes a second, over any time of `stall`.
    """

    connect: float = 5.0
    stall: float = 30.0
    slowest: float = 100.0


class Pace:
    """Tells an answer that is slow from one that will never end."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._began, self._received = time.monotonic(), 0

    def keeps(self, received: int) -> bool:
        """Whether the answer is fast enough, with so many bytes more."""
        self._received += received
        now = time.monotonic()
        if now - self._began < self._patience.stall:
            return True
        kept = self._received >= self._patience.slowest * (now - self._began)
        self._began, self._received = now, 0
        return kept


class NotGit(SourceInvalid):
    """The server answered, but not as a Git server does."""


class Answer:
    """The body of an answer, read as it comes. A context manager; leaving it gives the connection back."""

    # dulwich looks for the new address of a redirected request here. Redirects are refused before it can.
    redirect_location = ""

    def __init__(
        self, response: urllib3.BaseHTTPResponse, url: str, pace: Pace, fail: Callable[[HTTPError], NoReturn]
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.content_type: str | None = response.headers.get("Content-Type")
        self._response, self._url, self._pace, self._fail = response, url, pace, fail
        self._buffer = bytearray()
        self.checkpoint: Checkpoint = lambda: None

    def peek(self, amt: int) -> bytes:
        """The next `amt` bytes, or fewer where the body ends, which the next read gives again."""
        while len(self._buffer) < amt and (more := self._next_bytes()):
            self._buffer += more
        return bytes(self._buffer[:amt])

    def read(self, amt: int | None = None) -> bytes:
        """Exactly `amt` bytes, or fewer where the body ends; all of a body of reasonable size without `amt`."""
        data = self.peek(_LONGEST_LISTING if amt is None else amt)
        del self._buffer[: len(data)]
        return data

    def geturl(self) -> str:
        """The address that was asked, which is the one that answered."""
        return self._url

    def close(self) -> None:
        """Give the connection back: for reuse when the body was read to its end."""
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_bytes(self) -> bytes:
        self.checkpoint()
        try:
            data = self._response.read1(_CHUNK)
        except HTTPError as error:
            self._fail(error)
        if data and not self._pace.keeps(len(data)):
            raise SourceUnavailable(f"{self._url} answers too slowly to ever be done.")
        return data


class GitHttp:
    """A Git server as HTTP: `get` and `post` below one address. Safe to use from several threads."""

    def __init__(self, address: Address, patience: Patience = Patience()) -> None:
        self._address, self._patience = address, patience
        timeout = urllib3.Timeout(connect=patience.connect, read=patience.stall)
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout)

    def get(self, path: str, *, login: Login | None, headers: Mapping[str, str]) -> Answer:
        """Ask for `path` below the address; raises SourceError for any answer but 200."""
        return self._ask("GET", path, None, login, headers)

    def post(self, path: str, body: bytes, *, login: Login | None, headers: Mapping[str, str]) -> Answer:
        """Send `body` to `path` below the address; raises SourceError for any answer but 200."""
        return self._ask("POST", path, body, login, headers)

    def _ask(
        self, method: str, path: str, body: bytes | None, login: Login | None, headers: Mapping[str, str]
    ) -> Answer:
        url = f"{self._address.url}/{path}"
        sent = {"User-Agent": "git/flowsource", "Accept-Encoding": SKIP_HEADER, **headers}
        if login is not None:
            sent["Authorization"] = login.authorization
        try:
            response = self._pool.request(method, url, body=body, headers=sent, redirect=False, preload_content=False)
        except HTTPError as error:
            self._fail(error)
        if response.status != 200:
            response.close()
            raise self._refusal(response.status, response.headers, url, login)
        return Answer(response, url, Pace(self._patience), self._fail)

    def _refusal(self, status: int, headers: Mapping[str, str], url: str, login: Login | None) -> SourceError:
        where = self._address.url
        wait = retry_after(headers.get("Retry-After"), now=datetime.now(UTC))
        if status in (429, 503) or (status == 403 and wait is not None):
            hint = f" and asks to wait {wait:.0f} s" if wait is not None else ""
            return SourceUnavailable(f"{where} is too busy to answer (HTTP {status}){hint}.", retry_after=wait)
        if status >= 500:
            return SourceUnavailable(f"{where} failed to answer (HTTP {status}).", retry_after=wait)
        if 300 <= status < 400:
            target = harmless(redacted(urljoin(url, headers.get("Location", ""))))
            new = target.split("/info/refs", 1)[0].removesuffix("/git-upload-pack")
            return SourceInvalid(f"{where} has moved to {new}; correct the URL of the source.")
        if status in (401, 403):
            return self._not_allowed(status, login)
        if status in (404, 410):
            hint = "check the URL" if login is None else "check the URL, and that the credentials may read it"
            return SourceMissing(f"there is no repository at {where} (HTTP {status}); {hint}.")
        return NotGit(f"{where} does not answer as a Git server (HTTP {status}); check the URL.")

    def _not_allowed(self, status: int, login: Login | None) -> AuthenticationFailed:
        where = self._address.url
        if login is None:
            return AuthenticationFailed(
                f"{where} asks for credentials (HTTP {status}), or does not exist; "
                "give credentials=GitCredentials(access_token_env=...), or correct the URL."
            )
        return AuthenticationFailed(
            f"{where} refused the credentials of user {login.username!r} from {login.origin} (HTTP {status}); "
            "check that they are still valid and may read the repository."
        )

    def _fail(self, error: HTTPError) -> NoReturn:
        """Raise what went wrong below HTTP. Messages of urllib3 name objects and pools: only the cause is repeated."""
        where = self._address.url
        if isinstance(error, ReadTimeoutError):
            raise SourceUnavailable(f"{where} sent nothing for {self._patience.stall:g} s.") from error
        if isinstance(error, SSLError):
            raise SourceUnavailable(f"{where} cannot be trusted: {_cause(error)}.") from error
        raise SourceUnavailable(f"{where} cannot be reached: {_cause(error)}.") from error


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds (0 or more) that a Retry-After header asks to wait, given as seconds or as a date; None if it cannot be
    read."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def _cause(error: BaseException) -> str:
    """The innermost reason, in the words of the system where it has some."""
    while inner := error.__cause__ or _inner_argument(error) or error.__context__:
        error = inner
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _inner_argument(error: BaseException) -> BaseException | None:
    return next((argument for argument in error.args if isinstance(argument, BaseException)), None)
