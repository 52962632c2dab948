"""How many answers that go on for long there may be at once, in all and of each token."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from fastapi import Request

from flowsource.errors import NotAllowed
from flowsource.tokens import Token

MOST_OF_ALL, MOST_OF_ONE = 500, 50


class Streams:
    """Counts those that go on."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def check(self, token: Token) -> None:
        """Raise NotAllowed where there are as many as may be."""
        if self._open.total() >= MOST_OF_ALL or self._open[token.name] >= MOST_OF_ONE:
            raise NotAllowed("there are too many streams. Close some that nobody looks at.")

    async def counted(self, token: Token, parts: AsyncIterator[str]) -> AsyncIterator[str]:
        """`parts`, counted while they come: whoever goes away before the first was never there."""
        self._open[token.name] += 1
        try:
            async for one in parts:
                yield one
        finally:
            self._open[token.name] -= 1


def counted(request: Request, token: Token, parts: AsyncIterator[str]) -> AsyncIterator[str]:
    """`parts`, counted among those that go on; raises NotAllowed where there are too many."""
    streams: Streams = request.app.state.streams
    streams.check(token)
    return streams.counted(token, parts)
