"""The store over HTTP: what every store promises, by way of a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flowsource.server_access import TOKEN
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.server.serving import served
from tests.store.contract import StoreContract

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as behind, served(behind) as server:
        monkeypatch.setenv(TOKEN, server.secret)
        async with open_store(server.url) as store:
            yield store


class TestHttp(StoreContract):
    pass
