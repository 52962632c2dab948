"""What every store promises about being told of changes; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import anyio

from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS, WORK, about
from tests.store.words import GENEROUS, NOW, end, lines, registration, serve


class Listening:
    async def test_a_new_run_is_heard_as_work(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(WORK) as changes:
            await server.ask()
            assert await changes.wait(GENEROUS)

    async def test_whoever_waits_is_woken(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(WORK) as changes, anyio.create_task_group() as tasks:
            tasks.start_soon(server.ask)
            assert await changes.wait(GENEROUS)

    async def test_what_happens_to_a_run_is_heard_by_those_who_ask_for_it(self, store: Store) -> None:
        server = await serve(store, registration())
        asked = await server.ask()
        async with store.changes(about(asked.id)) as changes:
            run = await server.start_one()
            assert await changes.wait(GENEROUS)
            await store.append_lines(run.id, lines(1))
            assert await changes.wait(GENEROUS)
            await end(store, run)
            assert await changes.wait(GENEROUS)

    async def test_an_end_is_heard_as_work_because_it_makes_room(self, store: Store) -> None:
        server = await serve(store, registration(limit=1))
        await server.ask()
        run = await server.start_one()
        async with store.changes(WORK) as changes:
            await end(store, run)
            assert await changes.wait(GENEROUS)

    async def test_an_end_that_makes_no_room_wakes_no_runner(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        async with store.changes(WORK) as changes:
            await end(store, run)
            assert not await changes.wait(timedelta(milliseconds=1))

    async def test_a_change_of_a_deployment_is_heard_as_such(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(DEPLOYMENTS) as changes:
            await store.set_paused(server.deployment.id, True, now=NOW)
            assert await changes.wait(GENEROUS)

    async def test_what_concerns_others_wakes_nobody(self, store: Store) -> None:
        server = await serve(store, registration())
        run = await server.ask()
        async with store.changes(about(uuid4()), about(uuid4())) as several, store.changes(about(uuid4())) as one:
            await store.append_lines(run.id, lines(1))
            assert not await several.wait(timedelta(milliseconds=1))
            assert not await one.wait(timedelta(milliseconds=1))

    async def test_a_change_is_heard_once(self, store: Store) -> None:
        server = await serve(store, registration())
        async with store.changes(WORK) as changes:
            await server.ask()
            await server.ask()
            assert await changes.wait(GENEROUS)
            # Both at once, or each by itself where a server tells of them: never a third time.
            heard = [await changes.wait(timedelta(milliseconds=100)) for _ in range(2)]
            assert heard.count(True) <= 1
