"""What every request must be before anything looks at it: to a name of ours, from a page of ours, and not too large."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import anyio
from prometheus_client import Counter

from flowsource.addresses import is_loopback
from flowsource.server import store_door
from flowsource.store.http.client import DOOR
from flowsource.store.http.wire import OUR_VERSION, VERSION_HEADER

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_METHODS = ("GET", "HEAD", "POST", "DELETE")
LARGEST_BODY = 1024 * 1024
# For each part of a body.
PATIENCE = timedelta(seconds=20)

_HEADERS = {
    VERSION_HEADER: OUR_VERSION,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why


class Guard:
    """Stands before `app`. `names` are the hosts that requests may name, beside those of this machine;
    `requests` counts.

    A page of another site that a person looks at can send requests here: by a name that it lets lead to this machine,
    or as they are. Neither is answered.
    """

    def __init__(self, app: Application, names: Collection[str] = (), requests: Counter | None = None) -> None:
        self._app, self._requests = app, requests
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            # A websocket that is not taken: nothing here speaks it.
            await send({"type": "websocket.close", "code": 1008})
            return
        body = _Body(receive, largest=_largest(scope))

        async def send_on(message: Message) -> None:
            # Whatever was made of a body that is refused, the refusal is the answer.
            if body.refusal is not None:
                return
            if message["type"] == "http.response.start":
                self._complete(scope, message)
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, body.receive, send_on)
        except _Refused as refusal:
            body.refusal = refusal
        if body.refusal is not None:
            await self._refuse(scope, send, body.refusal)

    def _complete(self, scope: Scope, start: Message) -> None:
        """Add to an answer what each has, and count it."""
        _add_headers(start)
        if self._requests is not None:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(method, start["status"]).inc()

    async def _refuse(self, scope: Scope, send: Send, refusal: _Refused) -> None:
        body = json.dumps({"type": "about:blank", "status": refusal.status, "detail": refusal.why}).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            # What is still to come is not read.
            (b"connection", b"close"),
        ]
        start: Message = {"type": "http.response.start", "status": refusal.status, "headers": headers}
        self._complete(scope, start)
        await send(start)
        await send({"type": "http.response.body", "body": body})

    def _check(self, scope: Scope) -> None:
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or not self._is_ours(_host(f"//{hosts[0]}")):
            raise _Refused(421, "this server is not called so; `--name` of `flowsource server start` says what it is.")
        for origin in _values(scope, b"origin"):
            # Between two ports of one machine as well: another user's may listen there.
            if _place(origin) != hosts[0].lower():
                raise _Refused(403, "requests from pages of other sites are not answered.")
        if (length := _values(scope, b"content-length")) and not _is_within(length[0], _largest(scope)):
            raise _Refused(413, "the body is larger than is taken.")

    def _is_ours(self, host: str) -> bool:
        return host in self._names or is_loopback(host)


class _Body:
    """The body of a request, as long as it is no longer than may be and goes on coming; else there is a `refusal`."""

    def __init__(self, receive: Receive, *, largest: int) -> None:
        self._receive, self._largest = receive, largest
        self._size, self._is_whole = 0, False
        self.refusal: _Refused | None = None

    async def receive(self) -> Message:
        """The next part of it."""
        if self._is_whole:
            # What comes now is that somebody hung up, and that may be waited for as long as an answer takes.
            return await self._receive()
        with anyio.move_on_after(PATIENCE.total_seconds()):
            message = await self._receive()
            self._size += len(message.get("body", b""))
            if self._size > self._largest:
                raise self._refused(413, "the body is larger than is taken.")
            self._is_whole = not message.get("more_body", False)
            return message
        raise self._refused(408, "the body did not come.")

    def _refused(self, status: int, why: str) -> _Refused:
        self.refusal = _Refused(status, why)
        return self.refusal


def _largest(scope: Scope) -> int:
    is_to_store = scope["path"].startswith(f"{scope.get('root_path', '')}{DOOR}/")
    return store_door.LARGEST_BODY if is_to_store else LARGEST_BODY


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _place(url: str) -> str:
    """The host and the port of a URL; "" where it has none."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _is_within(length: str, largest: int) -> bool:
    """Whether a body is no longer than may be, by what its header says; one that says no number is not taken."""
    # Longer numbers are larger, and take their time to be read.
    return length.isascii() and length.isdecimal() and len(length) <= 19 and int(length) <= largest


def _add_headers(message: Message) -> None:
    there = {name for name, _ in message["headers"]}
    added = ((name.encode(), value.encode()) for name, value in _HEADERS.items())
    message["headers"] = [*message["headers"], *((name, value) for name, value in added if name not in there)]
