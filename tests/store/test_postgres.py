"""The store in PostgreSQL: what every store promises, and what several hosts at once must not break."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.store.contract import StoreContract
from tests.store.source_contract import SourceStoreContract
from tests.store.waiting_contract import WaitingContract

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(postgres_address: str) -> AsyncIterator[Store]:
    async with open_store(postgres_address) as store:
        yield store


class TestPostgres(StoreContract):
    pass


class TestWaitingInPostgres(WaitingContract):
    pass


class TestSourcesInPostgres(SourceStoreContract):
    pass
