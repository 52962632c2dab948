"""The wire to a server: one place that speaks HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import anyio
import httpx

from flowsource.errors import InvalidSettings, NotAuthenticated, StoreUnavailable
from flowsource.server_access import ServerAccess
from flowsource.store.clock import Clock

# What a server says of itself, in headers of each answer.
VERSION_HEADER = "flowsource-version"
TIME_HEADER = "flowsource-time"
OUR_VERSION = version("flowsource")
_CONNECT = timedelta(seconds=5)
_MOST_CONNECTIONS = 100
# More than any answer holds, and not so much that one can exhaust the memory of who asked.
LARGEST_ANSWER = 64 * 1024 * 1024
# Once it has begun to come, however little at a time.
_WHOLE = timedelta(seconds=60)


class NotReached(StoreUnavailable):
    """No answer came. Whether the server has done what it was asked for is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; `version` is what flowsource it is, or None for another program."""

    status: int
    body: bytes
    version: str | None


class Wire:
    """Connections to the server at `url`, open while its context is. `clock` is that of the server."""

    def __init__(self, url: str, access: ServerAccess) -> None:
        self.url, self._access = url, access
        self.clock = Clock()

    async def __aenter__(self) -> Wire:
        # Raises for what is wrong with it, while there is somebody to tell.
        _ = self._access.token
        self._client = httpx.AsyncClient(
            base_url=self.url,
            auth=_Bearer(self._access),
            verify=_trust(self._access) if self.url.startswith("https://") else False,
            headers={
                "user-agent": f"flowsource/{OUR_VERSION}",
                "content-type": "application/json",
                # What is packed may be a thousand times as large once it is unpacked.
                "accept-encoding": "identity",
            },
            # None is kept: a server knows us by our token.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # A redirect would take the token to where nobody said it may go.
            follow_redirects=False,
            limits=httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=10, keepalive_expiry=20),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def post(self, path: str, body: bytes, *, patience: timedelta, headers: dict[str, str]) -> Answer:
        """The answer to a POST; raises NotReached when none comes, each part of it within `patience`."""
        seconds = patience.total_seconds()
        limits = httpx.Timeout(seconds, connect=_CONNECT.total_seconds())
        asked_at = datetime.now(UTC)
        try:
            with anyio.fail_after((patience + _WHOLE).total_seconds()):
                async with self._client.stream("POST", path, content=body, headers=headers, timeout=limits) as answer:
                    said = await self._read(answer)
        except TimeoutError:
            raise NotReached(f"the server {self.url} does not come to the end of its answer.") from None
        except InvalidSettings as error:
            # A token file that went away while we were at work may come back.
            raise NotAuthenticated(str(error)) from None
        except httpx.TransportError as error:
            raise NotReached(f"the server {self.url} does not answer ({_said(error)}).") from None
        if (told := _time(answer.headers.get(TIME_HEADER, ""))) is not None:
            self.clock.hear(told, asked_at=asked_at)
        return Answer(answer.status_code, said, answer.headers.get(VERSION_HEADER))

    async def _read(self, answer: httpx.Response) -> bytes:
        said = bytearray()
        async for part in answer.aiter_raw():
            said += part
            if len(said) > LARGEST_ANSWER:
                raise StoreUnavailable(f"the server {self.url} answers with more than anything of ours takes.")
        return bytes(said)


def _time(text: str) -> datetime | None:
    """What a server says that the time is; None where it says nothing that is one."""
    with suppress(ValueError):
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None else None
    return None


class _Bearer(httpx.Auth):
    """Shows the token. Being there, it keeps whatever the user's netrc says from being sent instead."""

    def __init__(self, access: ServerAccess) -> None:
        self._access = access

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if (token := self._access.token) is not None:
            request.headers["authorization"] = f"Bearer {token}"
        yield request


# For a way without TLS the certificates of the system, which take long to read, are not read.
def _trust(access: ServerAccess) -> ssl.SSLContext | bool:
    if (file := access.ca_file) is None:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError):
        raise InvalidSettings(f"FLOWSOURCE_CA_FILE: {file} holds no certificates in PEM. Give one that does.") from None


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
