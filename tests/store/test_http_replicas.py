"""Hearing of changes from several servers of one store, to which a client is handed in turns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import cycle

import anyio
import pytest

from flowsource.server.switchboard import Switchboard
from flowsource.store.http.listening import Heard, Listening
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, WORK
from tests.store.words import GENEROUS, registration, serve
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SOON = timedelta(milliseconds=300)


class Turns:
    """Hands each poll to the next of some servers, which keep one open for a moment only."""

    def __init__(self, servers: list[Switchboard]) -> None:
        self._next = cycle(servers)
        self.polls = 0

    async def ask(self, topics: list[str], seen: Mapping[str, Mapping[str, int]], wait: timedelta) -> Heard:
        server = next(self._next)
        counts = await server.listen(topics, seen.get(server.life, {}), min(wait, timedelta(milliseconds=20)))
        self.polls += 1
        return Heard(server.life, counts)


@asynccontextmanager
async def listening(store: Store, replicas: int) -> AsyncIterator[tuple[Listening, Turns]]:
    servers = [Switchboard(store) for _ in range(replicas)]
    turns = Turns(servers)
    client = Listening(turns.ask)
    async with anyio.create_task_group() as tasks:
        for server in servers:
            tasks.start_soon(server.run)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(client.run)
        yield client, turns
        tasks.cancel_scope.cancel()


async def test_who_is_handed_from_one_server_to_the_next_is_not_woken_by_that(store: Store) -> None:
    async with listening(store, 3) as (client, turns), client.ear(WORK) as ear:
        # Of a server that was not asked before it is not known what it would have told.
        await until(lambda: turns.polls > 4)
        while await ear.wait(timedelta(0)):
            pass
        asked = turns.polls
        await until(lambda: turns.polls > asked + 6)
        assert not await ear.wait(timedelta(0))


async def test_a_change_wakes_whichever_server_is_asked_next(store: Store) -> None:
    served = await serve(store, registration())
    async with listening(store, 2) as (client, turns), client.ear(WORK) as ear, client.ear(DEPLOYMENTS) as other:
        await until(lambda: turns.polls > 4)
        for _ in range(3):
            while await ear.wait(SOON):
                pass
            await served.ask()
            assert await ear.wait(GENEROUS)
        while await other.wait(timedelta(0)):
            pass
        await served.ask()
        assert await ear.wait(GENEROUS)
        assert not await other.wait(SOON)


async def test_a_server_that_was_started_anew_wakes_once(store: Store) -> None:
    again = Switchboard(store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(again.run)
        async with listening(store, 1) as (client, turns), client.ear(WORK) as ear:
            await until(lambda: turns.polls > 2)
            assert not await ear.wait(timedelta(0))
            turns._next = cycle([again])
            assert await ear.wait(GENEROUS)
            assert not await ear.wait(SOON)
        tasks.cancel_scope.cancel()
