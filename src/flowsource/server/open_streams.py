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

    def begin(self, token: Token) -> None:
        """Count one more; raises NotAllowed where there are too many."""
        if self._open.total() >= MOST_OF_ALL or self._open[token.name] >= MOST_OF_ONE:
            raise NotAllowed("there are too many streams. Close some that nobody looks at.")
        self._open[token.name] += 1

    def end(self, token: Token) -> None:
        """Count one less."""
        self._open[token.name] -= 1


def counted(request: Request, token: Token, parts: AsyncIterator[str]) -> AsyncIterator[str]:
    """`parts`, counted from now on until they end; raises NotAllowed where there are too many such answers."""
    streams: Streams = request.app.state.streams
    streams.begin(token)

    async def bounded() -> AsyncIterator[str]:
        try:
            async for one in parts:
                yield one
        finally:
            streams.end(token)

    return bounded()
