"""The store in PostgreSQL: what every store promises, and what several hosts at once must not break."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from flowsource.errors import InvalidSettings
from flowsource.store import open_store
from flowsource.store.postgres.database import PostgresDatabase
from flowsource.store.postgres.doorbell import PostgresDoorbell
from flowsource.store.protocol import Store
from tests.store.contract import StoreContract
from tests.store.test_doorbell import open_as_many_as_may_be
from tests.store.words import GENEROUS, HOUR, NOW, end, lines, registration, serve, start

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(postgres_address: str) -> AsyncIterator[Store]:
    async with open_store(postgres_address) as store:
        yield store


class TestPostgres(StoreContract):
    pass


async def test_whatever_was_answered_is_on_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []

    def write(self: PostgresDatabase, change: Callable[[Connection], Any], **said: Any) -> Any:
        def watched(connection: Connection) -> Any:
            levels.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())
            return change(connection)

        return original(self, watched, **said)

    original = PostgresDatabase.write
    monkeypatch.setattr(PostgresDatabase, "write", write)
    server = await serve(store, registration())
    await store.renew(server.id, lease_until=NOW + HOUR)
    run = await server.ask()
    claimed = await server.claim_one()
    await store.append_lines(run.id, lines(1))
    await end(store, await start(store, claimed))
    assert levels == ["on"] * 7


async def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowsource.store.find_spec", lambda name: None)
    with pytest.raises(InvalidSettings, match=r"pip install 'flowsource\[postgres\]'"):
        open_store("postgresql://h/d")


async def test_an_ear_for_which_there_is_no_descriptor_hears_nothing_and_harms_nobody(postgres_address: str) -> None:
    bell = PostgresDoorbell(postgres_address)
    bell.open()
    try:
        async with bell.listen("work") as ear:
            await open_as_many_as_may_be(bell)
            bell.ring("work")
            assert await ear.wait(GENEROUS)
    finally:
        bell.close()
