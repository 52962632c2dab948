"""The store that a server keeps, asked over HTTP."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, cast

import anyio

from flowsource.errors import NotAuthenticated, StoreError, StoreUnavailable, StoreVersionMismatch
from flowsource.server_access import ServerAccess
from flowsource.store.http.calls import CALLS, Call
from flowsource.store.http.codec import WrongType, codec_of
from flowsource.store.http.failures import error_from
from flowsource.store.http.listening import LISTEN_FOR, Heard, Listening
from flowsource.store.http.rules import is_repeatable
from flowsource.store.http.wire import OUR_VERSION, Answer, NotReached, Wire
from flowsource.store.protocol import Changes, Store

logger = logging.getLogger(__name__)

DOOR = "/api/store"
DIGEST_HEADER = "flowsource-call"
PATIENCE = timedelta(seconds=30)
# In an answer; each takes a hundred bytes or so in memory, however short it is.
_MOST_VALUES = 2_000_000
_HEARD = codec_of(Heard)
_AGAIN_AFTER = (timedelta(0), timedelta(milliseconds=200))


def open_http_store(url: str) -> Store:
    """The store of the server at `url`, to be opened with `async with`."""
    return cast(Store, HttpStore(Wire(url, ServerAccess())))


class HttpStore:
    """A store behind a server, open while its context is. See `flowsource.store.protocol.Store` for what it promises.

    Each method is one request. One of which no answer comes is repeated where that does no harm, and else raises
    StoreUnavailable: it may have been carried out.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._has_met = False
        self._listening = Listening(self._listen)

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        try:
            self._checked(await self._post("hello", b"{}"))
            self._has_met = True
            self._tasks = anyio.create_task_group()
            await self._tasks.__aenter__()
            self._tasks.start_soon(self._listening.run)
        except BaseException:
            await self._wire.__aexit__()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                await self._wire.__aexit__()

    def now(self) -> datetime:
        return self._wire.clock.now()

    def changes(self, *topics: str) -> AbstractAsyncContextManager[Changes]:
        return self._ear(*topics)

    @asynccontextmanager
    async def _ear(self, *topics: str) -> AsyncIterator[Changes]:
        async with self._listening.ear(*topics) as ear:
            yield ear

    async def _ask(self, call: Call, arguments: dict[str, Any]) -> Any:
        body = json.dumps(call.encode_arguments(**arguments)).encode()
        pauses = _AGAIN_AFTER if is_repeatable(call.name, arguments) else ()
        for pause in pauses:
            try:
                return self._result(call, await self._post(call.name, body, call.digest))
            except NotReached as error:
                logger.debug("%s is asked again: %s", call.name, error)
                await anyio.sleep(pause.total_seconds())
        return self._result(call, await self._post(call.name, body, call.digest))

    async def _listen(self, topics: list[str], seen: Mapping[str, Mapping[str, int]], wait: timedelta) -> Heard:
        body = json.dumps({"topics": topics, "seen": seen, "wait": wait.total_seconds()}).encode()
        answer = self._checked(await self._post("changes", body, patience=LISTEN_FOR + PATIENCE))
        try:
            heard: Heard = _HEARD.decode(answer)
        except WrongType:
            raise self._strange("an answer that nobody understands") from None
        return heard

    async def _post(self, name: str, body: bytes, digest: str = "", *, patience: timedelta = PATIENCE) -> Answer:
        headers = {DIGEST_HEADER: digest} if digest else {}
        return await self._wire.post(f"{DOOR}/{name}", body, patience=patience, headers=headers)

    def _result(self, call: Call, answer: Answer) -> Any:
        data = self._checked(answer)
        try:
            return call.gives.decode(data["result"])
        except (KeyError, WrongType) as error:
            raise self._strange(f"an answer to {call.name} that nobody understands ({error})") from None

    def _checked(self, answer: Answer) -> dict[str, Any]:
        """What a good answer says; raises what a bad one tells.

        Once we have met the server, whatever else is at its address is there for a while: then that may be tried again.
        """
        try:
            return self._good(answer)
        except StoreUnavailable:
            raise
        except StoreError as error:
            raise (StoreUnavailable(str(error)) if self._has_met else error) from None

    def _good(self, answer: Answer) -> dict[str, Any]:
        if answer.version is None and answer.status < 500:
            raise StoreError(
                f"{self._wire.url} is no flowsource server: it answered with status {answer.status}. "
                "Correct the address in FLOWSOURCE_STORE."
            )
        data = _parsed(answer.body)
        if answer.status == 200 and isinstance(data, dict):
            return data
        if (error := error_from(data.get("error") if isinstance(data, dict) else None)) is not None:
            raise error
        if answer.status >= 500:
            raise StoreUnavailable(f"the server {self._wire.url} is not well (status {answer.status}).")
        if answer.status == 401:
            raise NotAuthenticated(f"the server {self._wire.url} wants another token than it was given.")
        if answer.version != OUR_VERSION:
            raise StoreVersionMismatch(
                f"the server {self._wire.url} is flowsource {answer.version}, this is {OUR_VERSION}, and they do not "
                "understand each other. Bring the older one up to date."
            )
        raise self._strange(f"status {answer.status}")

    def _strange(self, what: str) -> StoreError:
        kind = StoreUnavailable if self._has_met else StoreError
        return kind(f"the server {self._wire.url} gave {what}. Look whether it is of this version of flowsource.")


def _parsed(body: bytes) -> Any:
    """What JSON says; None for what is no JSON, or would take very many times its length once it is read."""
    if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _method(call: Call) -> Callable[..., Awaitable[Any]]:
    async def ask(self: HttpStore, *args: Any, **kwargs: Any) -> Any:
        # By name, so that the other side need not know an order.
        given = call.signature.bind(*args, **kwargs).arguments
        return await self._ask(call, given)

    ask.__name__ = call.name
    return ask


for _name, _call in CALLS.items():
    setattr(HttpStore, _name, _method(_call))
