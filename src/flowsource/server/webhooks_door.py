"""The door that webhooks come to: as much is read as may be, and as little is said as can be."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from flowsource.errors import FlowsourceError
from flowsource.server.webhooks import remembered_as
from flowsource.server.webhooks_named import places_named

logger = logging.getLogger(__name__)

PATH = "/webhooks"
LARGEST_BODY = 256 * 1024
PATIENCE = timedelta(seconds=10)
_REMEMBERED = 10_000
_COMPLAIN_EVERY = timedelta(minutes=1)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Refused(Exception):
    """A request that is answered with `status`, and no more."""

    def __init__(self, status: int) -> None:
        self.status = status


class WebhookDoor:
    """An ASGI application that takes webhooks at `PATH`, and hands the places they name to `hint`.

    `secret` is asked for at each delivery, so that it may be changed; what it raises is a FlowsourceError. A delivery
    counts once. Whatever a sender may learn is in the status, which is the same for a repository that is known and for
    one that is not.
    """

    def __init__(self, secret: Callable[[], bytes], hint: Callable[[Collection[str]], None]) -> None:
        self._secret, self._hint = secret, hint
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._complained_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            headers = _headers(scope)
            self._take(headers, await _body(scope, headers, receive))
            status = 202
        except _Refused as refusal:
            status = refusal.status
        answer = [(b"content-type", b"text/plain"), (b"content-length", b"0"), (b"cache-control", b"no-store")]
        if status == 405:
            answer.append((b"allow", b"POST"))
        if status in (408, 413):
            # What is still to come is not read.
            answer.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": b""})

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        try:
            name = remembered_as(headers, body, self._secret(), now=datetime.now(UTC))
        except FlowsourceError as error:
            self._complain(f"a webhook could not be judged: {error}")
            raise _Refused(503) from None
        if name is None:
            self._complain("a webhook was refused: it is not signed with the secret, or too old; compare both secrets")
            raise _Refused(401)
        if name in self._seen:
            return
        self._seen[name] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        self._hint(places_named(body))

    def _complain(self, text: str) -> None:
        """Tell whoever runs us, but not at the pace that somebody else sets."""
        if time.monotonic() - self._complained_at >= _COMPLAIN_EVERY.total_seconds():
            self._complained_at = time.monotonic()
            logger.warning("%s", text, extra={"event": "webhook.refused"})


async def _body(scope: Scope, headers: Mapping[str, str], receive: Receive) -> bytes:
    """The whole body; raises _Refused for what is no webhook before any of it is read, and once it is too much."""
    if scope["path"] != PATH:
        raise _Refused(404)
    if scope["method"] != "POST":
        raise _Refused(405)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(415)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise _Refused(415)
    # How long it is, a server that speaks HTTP has checked to be a number.
    if int(headers.get("content-length", 0)) > LARGEST_BODY:
        raise _Refused(413)
    body = bytearray()
    with anyio.move_on_after(PATIENCE.total_seconds()):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Refused(408)
            body += message.get("body", b"")
            if len(body) > LARGEST_BODY:
                raise _Refused(413)
            if not message.get("more_body"):
                return bytes(body)
    raise _Refused(408)


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by name; one that was sent twice is as good as none, for nobody knows which is meant."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in scope["headers"]:
        text = name.decode("latin-1").lower()
        if text in found:
            twice.add(text)
        found[text] = value.decode("latin-1")
    return {name: value for name, value in found.items() if name not in twice}
