"""Hearing of changes from a server: one long poll for all who listen in this process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio

from flowsource.errors import FlowsourceError

logger = logging.getLogger(__name__)

# How long a server keeps a poll open in which nothing happens.
LISTEN_FOR = timedelta(seconds=30)
_AGAIN_AFTER = timedelta(seconds=1)

# Asks a server how often each topic has been rung, waiting until that differs from what was seen.
Ask = Callable[[dict[str, int | None], timedelta], Awaitable[dict[str, int]]]


class Listening:
    """Keeps one poll open while anybody listens.

    What is seen of a topic is a number of the server's: that it differs says that there was something, also when the
    server was another one meanwhile or did not answer.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ears: set[Ear] = set()
        self._seen: dict[str, int | None] = {}
        self._changed = anyio.Event()
        self._polling = anyio.CancelScope()

    @asynccontextmanager
    async def ear(self, *topics: str) -> AsyncIterator[Ear]:
        """An ear for `topics`, open while the context is."""
        ear = Ear(frozenset(topics))
        await self._begin(ear.topics - self._seen.keys())
        self._ears.add(ear)
        self._look_again()
        try:
            yield ear
        finally:
            self._ears.discard(ear)
            wanted = self._wanted()
            self._seen = {topic: count for topic, count in self._seen.items() if topic in wanted}

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            if not self._ears:
                self._changed = anyio.Event()
                await self._changed.wait()
                continue
            with anyio.CancelScope() as self._polling:
                await self._poll()

    async def _poll(self) -> None:
        asked: dict[str, int | None] = {topic: self._seen.get(topic) for topic in self._wanted()}
        try:
            counts = await self._ask(asked, LISTEN_FOR)
        except FlowsourceError as error:
            logger.debug("changes are not heard of: %s", error)
            await anyio.sleep(_AGAIN_AFTER.total_seconds())
            return
        self._take(asked, counts)

    async def _begin(self, topics: frozenset[str]) -> None:
        """Have the server listen to what nobody here listened to before, so that nothing from now on is missed."""
        if not topics:
            return
        try:
            counts = await self._ask(dict.fromkeys(topics), timedelta(0))
        except FlowsourceError as error:
            # The ear is woken once when the server is back: whatever was before that is not known.
            logger.debug("changes are not heard of yet: %s", error)
            self._seen.update(dict.fromkeys(topics, -1))
        else:
            self._seen.update({topic: counts.get(topic, -1) for topic in topics if topic not in self._seen})

    def _take(self, asked: dict[str, int | None], counts: dict[str, int]) -> None:
        heard = {topic for topic, count in counts.items() if asked.get(topic) != count}
        for topic in asked.keys() & counts.keys():
            self._seen[topic] = counts[topic]
        for ear in self._ears:
            if not ear.topics.isdisjoint(heard):
                ear.ring()

    def _wanted(self) -> set[str]:
        return set().union(*(ear.topics for ear in self._ears))

    def _look_again(self) -> None:
        self._changed.set()
        self._polling.cancel()


class Ear:
    """What is heard of some topics."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Wake whoever waits, now or next."""
        self._rung.set()

    async def wait(self, timeout: timedelta) -> bool:
        """Wait for a change, at most for `timeout`; whether there was one since the ear was opened or last woke."""
        with anyio.move_on_after(timeout.total_seconds()):
            await self._rung.wait()
        was_rung, self._rung = self._rung.is_set(), anyio.Event()
        return was_rung
