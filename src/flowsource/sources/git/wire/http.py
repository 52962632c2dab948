"""One HTTP request to one Git server: no redirect, no retry, no silence without end, and errors in our words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError, ProxyError, ReadTimeoutError, SSLError
from urllib3.util import SKIP_HEADER

from flowsource.errors import AuthenticationFailed, SourceError, SourceInvalid, SourceMissing, SourceUnavailable
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.credentials import Login
from flowsource.sources.git.limits import LONGEST_TALK
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address, redacted
from flowsource.sources.git.wire.connections import make_patient, using
from flowsource.sources.git.wire.http_settings import HttpSettings
from flowsource.sources.git.wire.patience import Patience, Waiting
from flowsource.sources.git.wire.proxies import pool_manager, proxy_for
from flowsource.sources.git.wire.ratelimits import asked_to_wait, is_used_up

_CHUNK = 1 << 18


class NotGit(SourceInvalid):
    """The server answered, but not as a Git server does."""


class Moved(SourceInvalid):
    """The server sends us to another address, `location`, which may hold a secret. Nobody is asked there by itself."""

    def __init__(self, message: str, location: str = "") -> None:
        self.location = location
        super().__init__(message)


class Answer:
    """The body of an answer, read as it comes. A context manager; leaving it gives the connection back."""

    # dulwich looks for the new address of a redirected request here. Redirects are refused before it can.
    redirect_location = ""

    def __init__(
        self, response: urllib3.BaseHTTPResponse, url: str, waiting: Waiting, fail: Callable[[HTTPError], NoReturn]
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.content_type: str | None = response.headers.get("Content-Type")
        self.waiting = waiting
        self._response, self._url, self._fail = response, url, fail
        self._buffer = bytearray()

    def peek(self, amt: int) -> bytes:
        """The next `amt` bytes, or fewer where the body ends, which the next read gives again."""
        while len(self._buffer) < amt and (more := self._next_bytes()):
            self._buffer += more
        return bytes(self._buffer[:amt])

    def read(self, amt: int | None = None) -> bytes:
        """Exactly `amt` bytes, or fewer where the body ends; all of the body without `amt`."""
        data = self.peek(LONGEST_TALK if amt is None else amt)
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
        try:
            return self._response.read1(_CHUNK)
        except HTTPError as error:
            self._fail(error)


class GitHttp:
    """A Git server as HTTP: `get` and `post` below one address. Safe to use from several threads."""

    def __init__(
        self, address: Address, patience: Patience = Patience(), settings: HttpSettings = HttpSettings()
    ) -> None:
        self._address, self._patience = address, patience
        self._proxy = settings.proxy or proxy_for(address)
        timeout = urllib3.Timeout(connect=patience.connect, read=patience.stall)
        self._pool = pool_manager(self._proxy, retries=False, timeout=timeout, **settings.for_pools)
        make_patient(self._pool)

    def get(self, path: str, *, login: Login | None, headers: Mapping[str, str], checkpoint: Checkpoint) -> Answer:
        """Ask for `path` below the address; raises SourceError for any answer but 200."""
        return self._ask("GET", path, None, login, headers, checkpoint)

    def post(
        self, path: str, body: bytes, *, login: Login | None, headers: Mapping[str, str], checkpoint: Checkpoint
    ) -> Answer:
        """Send `body` to `path` below the address; raises SourceError for any answer but 200."""
        return self._ask("POST", path, body, login, headers, checkpoint)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        login: Login | None,
        headers: Mapping[str, str],
        checkpoint: Checkpoint,
    ) -> Answer:
        url = f"{self._address.url}/{path}"
        # An encoding is neither asked for nor undone: nothing is inflated but objects, which are measured.
        sent = {"User-Agent": "git/flowsource", "Accept-Encoding": SKIP_HEADER, **headers}
        if login is not None:
            sent["Authorization"] = login.authorization
        waiting = Waiting(self._address.url, self._patience, checkpoint)
        try:
            with using(waiting):
                response = self._pool.request(
                    method, url, body=body, headers=sent, redirect=False, preload_content=False, decode_content=False
                )
        except HTTPError as error:
            self._fail(error)
        if response.status != 200:
            response.close()
            raise self._refusal(response.status, response.headers, url, login)
        return Answer(response, url, waiting, self._fail)

    def _refusal(self, status: int, headers: Mapping[str, str], url: str, login: Login | None) -> SourceError:
        where = self._address.url
        wait = asked_to_wait(headers, now=datetime.now(UTC))
        # GitHub says 403 to who has asked too often, and how many requests are left.
        if status in (429, 503) or (status == 403 and (wait is not None or is_used_up(headers))):
            hint = f" and asks to wait {wait:.0f} s" if wait is not None else ""
            return SourceUnavailable(f"{where} is too busy to answer (HTTP {status}){hint}.", retry_after=wait)
        if status >= 500:
            return SourceUnavailable(f"{where} failed to answer (HTTP {status}).", retry_after=wait)
        if 300 <= status < 400:
            location = urljoin(url, headers.get("Location", ""))
            target = harmless(redacted(location))
            new = target.split("/info/refs", 1)[0].removesuffix("/git-upload-pack")
            return Moved(f"{where} has moved to {new}; correct the URL of the source.", location)
        if status in (401, 403):
            return self._not_allowed(status, login)
        if status == 407 and self._proxy is not None:
            return AuthenticationFailed(f"the proxy {self._proxy.url} asks for credentials; put them into its URL.")
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
            f"{where} refused the {login} (HTTP {status}); check that they are still valid and may read the repository."
        )

    def _fail(self, error: HTTPError) -> NoReturn:
        """Raise what went wrong below HTTP. Messages of urllib3 name objects and pools: only the cause is repeated."""
        where = self._address.url
        if isinstance(error, ReadTimeoutError):
            raise SourceUnavailable(f"{where} did not answer in time.") from error
        if isinstance(error, SSLError):
            # What is wrong may be with it, or with us: a certificate that it asks for and was not given.
            how = "trusted" if isinstance(_innermost(error), ssl.SSLCertVerificationError) else "reached safely"
            raise SourceUnavailable(f"{where} cannot be {how}: {_cause(error)}.") from error
        if isinstance(error, ProxyError) and self._proxy is not None:
            where += f" through the proxy {self._proxy.url}"
        raise SourceUnavailable(f"{where} cannot be reached: {_cause(error)}.") from error


def _innermost(error: BaseException) -> BaseException:
    while inner := error.__cause__ or _inner_argument(error) or error.__context__:
        error = inner
    return error


def _cause(error: BaseException) -> str:
    """The innermost reason, in the words of the system where it has some."""
    error = _innermost(error)
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return harmless(str(error)) or type(error).__name__


def _inner_argument(error: BaseException) -> BaseException | None:
    return next((argument for argument in error.args if isinstance(argument, BaseException)), None)
