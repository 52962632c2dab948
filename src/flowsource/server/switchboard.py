"""Ears of the server: one for each topic, however many listen to it from afar."""

from __future__ import annotations

import resource
import sys
from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from flowsource.store.ears import Deaf
from flowsource.store.protocol import Changes, Store

# For how long a topic that nobody asks for is still listened to: between two polls nothing is missed.
IDLE_FOR = timedelta(seconds=90)
# An ear takes one or two, and at most half of all are for ears.
_DESCRIPTORS_FOR_EACH = 4


@dataclass(eq=False, slots=True)
class _Line:
    """One topic that is listened to."""

    count: int
    opened: anyio.Event = field(default_factory=anyio.Event)
    waiters: set[anyio.Event] = field(default_factory=set)
    was_asked_for: bool = True

    def wake(self) -> None:
        """Wake those who wait."""
        for waiter in self.waiters:
            waiter.set()


class Switchboard:
    """Counts what is heard of each topic. `life` names this life of a server: the counts of another are other counts.

    Those of two lives of a topic are never the same. It hears as many topics as leave this process descriptors for all
    else; of those beyond nothing is heard, so that whoever asks for them looks for himself.
    """

    def __init__(self, store: Store) -> None:
        self.life = uuid4().hex
        self._store = store
        self._most = _most_ears()
        self._numbers = count(1)
        self._lines: dict[str, _Line] = {}
        self._is_closed = False
        self._tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Listen for those who ask, until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            await anyio.sleep_forever()

    def close(self) -> None:
        """Let everybody who waits go."""
        self._is_closed = True
        for line in self._lines.values():
            line.wake()

    async def listen(self, topics: Collection[str], seen: Mapping[str, int], wait: timedelta) -> dict[str, int]:
        """The counts of these topics, once one is other than was seen here (if that was), or after `wait`."""
        lines = {topic: await self._line(topic) for topic in topics}
        rung = anyio.Event()
        for line in lines.values():
            line.waiters.add(rung)
        try:
            if all(seen.get(topic) == line.count for topic, line in lines.items()) and not self._is_closed:
                with anyio.move_on_after(wait.total_seconds()):
                    await rung.wait()
        finally:
            for line in lines.values():
                line.waiters.discard(rung)
        return {topic: line.count for topic, line in lines.items()}

    async def _line(self, topic: str) -> _Line:
        assert self._tasks is not None, "it runs"
        if (line := self._lines.get(topic)) is None:
            line = self._lines[topic] = _Line(next(self._numbers))
            self._tasks.start_soon(self._hear, topic, line)
        line.was_asked_for = True
        await line.opened.wait()
        return line

    async def _hear(self, topic: str, line: _Line) -> None:
        async with self._ear(topic) as ear:
            line.opened.set()
            while line.was_asked_for or line.waiters:
                line.was_asked_for = False
                while await ear.wait(IDLE_FOR):
                    line.count = next(self._numbers)
                    line.wake()
            # Before the ear is closed, which may take a while: nobody may find a line that hears nothing.
            del self._lines[topic]

    def _ear(self, topic: str) -> AbstractAsyncContextManager[Changes]:
        return self._store.changes(topic) if len(self._lines) <= self._most else nullcontext(Deaf())


def _most_ears() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // _DESCRIPTORS_FOR_EACH
