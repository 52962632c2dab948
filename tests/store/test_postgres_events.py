"""Events in PostgreSQL, where one with a smaller number may be committed after one with a greater."""

from __future__ import annotations

import anyio
import anyio.to_thread
import psycopg
import pytest

from flowsource.events import new_event
from flowsource.store import open_store
from tests.store.words import NOW

pytestmark = pytest.mark.anyio
SLOW = b"INSERT INTO events (at, name, resource, related, payload) VALUES (0, 'order.slow', '{}', '[]', '{}')"


async def test_nobody_reads_past_an_event_that_is_still_to_be_committed(postgres_address: str) -> None:
    async with open_store(postgres_address) as store:
        async with await psycopg.AsyncConnection.connect(postgres_address) as slow:
            await slow.execute(SLOW)
            await store.emit([new_event("order.quick", at=NOW)])
            before = await store.events(after=0)
            assert (before.events, before.upto) == ([], 0)
            await slow.commit()
        after = await store.events(after=before.upto)
    assert [event.name for event in after.events] == ["order.slow", "order.quick"]


async def test_what_is_committed_while_somebody_waits_for_it_is_read_at_once(postgres_address: str) -> None:
    names: list[str] = []
    async with (
        open_store(postgres_address) as store,
        await psycopg.AsyncConnection.connect(postgres_address) as slow,
        anyio.create_task_group() as tasks,
    ):
        await slow.execute(SLOW)
        await store.emit([new_event("order.quick", at=NOW)])

        async def read() -> None:
            names.extend(event.name for event in (await store.events(after=0)).events)

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await slow.commit()
    assert names == ["order.slow", "order.quick"]
