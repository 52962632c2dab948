"""Hearing of changes from a server: one long poll for all who listen in this process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import anyio

from flowsource.errors import FlowsourceError

logger = logging.getLogger(__name__)

# How long a server keeps a poll open in which nothing happens.
LISTEN_FOR = timedelta(seconds=30)
_AGAIN_AFTER = timedelta(seconds=1)

# So many servers of one store are told apart: those that a proxy hands us to in turns.
_MOST_LIVES = 16


@dataclass(frozen=True, slots=True)
class Heard:
    """How often each topic was rung by the counting of one server, in the life of it that `life` names."""

    life: str
    counts: Mapping[str, int]


# Asks a server of topics, of which that was seen in each life, waiting until it has something else to tell.
Ask = Callable[[list[str], Mapping[str, Mapping[str, int]], timedelta], Awaitable[Heard]]


class Listening:
    """Keeps one poll open while anybody listens.

    What is seen of a topic is a number of the server's: that it differs says that there was something. So does one of
    a server that was not asked before: what it would have told before is not known.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ears: set[Ear] = set()
        self._seen: dict[str, dict[str, int]] = {}
        self._known: set[str] = set()
        self._changed = anyio.Event()
        self._polling = anyio.CancelScope()

    @asynccontextmanager
    async def ear(self, *topics: str) -> AsyncIterator[Ear]:
        """An ear for `topics`, open while the context is."""
        ear = Ear(frozenset(topics))
        await self._begin(ear.topics - self._known)
        self._ears.add(ear)
        self._look_again()
        try:
            yield ear
        finally:
            self._ears.discard(ear)
            wanted = self._wanted()
            self._known &= wanted
            for counts in self._seen.values():
                for topic in counts.keys() - wanted:
                    del counts[topic]

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
        topics = sorted(self._wanted())
        try:
            heard = await self._ask(topics, self._seen, LISTEN_FOR)
        except FlowsourceError as error:
            logger.debug("changes are not heard of: %s", error)
            await anyio.sleep(_AGAIN_AFTER.total_seconds())
            return
        news = self._keep(heard)
        for ear in self._ears:
            if not ear.topics.isdisjoint(news):
                ear.ring()

    async def _begin(self, topics: frozenset[str]) -> None:
        """Have the server listen to what nobody here listened to before, so that nothing from now on is missed."""
        if not topics:
            return
        try:
            heard = await self._ask(sorted(topics), {}, timedelta(0))
        except FlowsourceError as error:
            # The ear is woken once when the server is back: whatever was before that is not known.
            logger.debug("changes are not heard of yet: %s", error)
        else:
            # Others may have heard more of them meanwhile, and are to be told so.
            known = self._seen.get(heard.life, {})
            self._keep(Heard(heard.life, {**heard.counts, **known}))
        self._known |= topics

    def _keep(self, heard: Heard) -> set[str]:
        """Keep what was heard; the topics of which it is news."""
        seen = self._seen.pop(heard.life, {})
        news = {topic for topic, count in heard.counts.items() if seen.get(topic) != count}
        # The one that was heard last is the last to be forgotten.
        self._seen[heard.life] = {**seen, **heard.counts}
        while len(self._seen) > _MOST_LIVES:
            del self._seen[next(iter(self._seen))]
        return news

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
