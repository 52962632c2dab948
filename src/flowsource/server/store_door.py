"""The door to the store for other flowsource processes: each method of its protocol is a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flowsource.errors import InvalidInput, StoreVersionMismatch
from flowsource.server.permissions import permitted, visible
from flowsource.server.switchboard import Switchboard
from flowsource.store.http.calls import CALLS
from flowsource.store.http.codec import WrongType, codec_of
from flowsource.store.http.listening import LISTEN_FOR
from flowsource.store.http.wire import OUR_VERSION
from flowsource.store.protocol import Store
from flowsource.store.values import is_topic
from flowsource.tokens import Token

# Of a request: the lines of a log that are sent at once fit, whatever is in them.
LARGEST_BODY = 64 * 1024 * 1024
_MOST_TOPICS = 2000
_TOPICS, _SEEN, _SECONDS = codec_of(list[str]), codec_of(dict[str, dict[str, int]]), codec_of(float)
# In one answer, which is made in memory.
_MOST_ITEMS = 100_000


class StoreDoor:
    """Answers requests to the store, with what is in their bodies."""

    def __init__(self, store: Store, switchboard: Switchboard) -> None:
        self._store, self._switchboard = store, switchboard

    async def answer(self, token: Token, name: str, body: bytes, digest: str) -> dict[str, Any]:
        """What is answered to a request for the method `name`, whose types are those of `digest`; raises what the
        method does, and InvalidInput, NotAllowed or StoreVersionMismatch."""
        data = _parsed(body)
        if name == "hello":
            return {"flowsource": OUR_VERSION, "token": token.name, "scopes": list(token.scopes)}
        if name == "changes":
            topics, seen, wait = _listening(data)
            life = self._switchboard.life
            return {"life": life, "counts": await self._switchboard.listen(topics, seen.get(life, {}), wait)}
        call = CALLS.get(name)
        if call is None or call.digest != digest:
            raise StoreVersionMismatch(
                f"the server is flowsource {OUR_VERSION} and does not know {name!r} as it was asked for. "
                "Bring both sides to the same version."
            )
        try:
            arguments = call.decode_arguments(data)
        except WrongType as error:
            raise InvalidInput(f"{name}: {error}") from None
        if not 0 <= arguments.get("limit", 0) <= _MOST_ITEMS:
            raise InvalidInput(
                f"{name}: the limit is no number from 0 to {_MOST_ITEMS:,}; ask for the rest after that."
            )
        arguments = await permitted(self._store, token, name, arguments)
        try:
            answer = await getattr(self._store, name)(**arguments)
        except OverflowError:
            raise InvalidInput(f"{name}: there is a number or an instant in it that is beyond all others.") from None
        return {"result": call.gives.encode(await visible(self._store, token, name, answer))}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidInput("the body of the request is not JSON.") from None


def _refuse_constant(name: str) -> None:
    """NaN and the infinities are no JSON: whoever reads them again may not take them."""
    raise ValueError(name)


def _listening(data: Any) -> tuple[list[str], Mapping[str, Mapping[str, int]], timedelta]:
    """The topics of a poll, with what was seen of each in each life of a server, and how long it may take."""
    try:
        topics, seen, wait = _TOPICS.decode(data["topics"]), _SEEN.decode(data["seen"]), _SECONDS.decode(data["wait"])
    except (TypeError, KeyError, WrongType):
        raise InvalidInput("changes: give topics, what was seen of each, and how long to wait.") from None
    # An ear has its topic in the name of a file.
    if len(topics) > _MOST_TOPICS or not all(map(is_topic, topics)):
        raise InvalidInput("changes: there is no such topic, or there are too many.")
    return topics, seen, timedelta(seconds=min(max(wait, 0), LISTEN_FOR.total_seconds()))
