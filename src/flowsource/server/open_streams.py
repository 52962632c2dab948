"""Answers that go on for long: how many there may be at once, in all and of each token, until the server ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import cast

import anyio
from fastapi import Request

from flowsource.errors import NotAllowed
from flowsource.tokens import Token

MOST_OF_ALL, MOST_OF_ONE = 500, 50


class Streams:
    """Counts those that go on. Once `is_closed`, none does."""

    def __init__(self) -> None:
        self.is_closed = False
        self._open: Counter[str] = Counter()
        self._waits: set[anyio.CancelScope] = set()

    def close(self) -> None:
        """Let those who wait for news go."""
        self.is_closed = True
        for wait in self._waits:
            wait.cancel()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What is waited for within ends when they are closed."""
        with anyio.CancelScope() as wait:
            if self.is_closed:
                wait.cancel()
            self._waits.add(wait)
            try:
                yield
            finally:
                self._waits.discard(wait)

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
    streams = streams_of(request)
    streams.check(token)
    return streams.counted(token, parts)


def streams_of(request: Request) -> Streams:
    """Those of the server that was asked."""
    return cast(Streams, request.app.state.streams)
