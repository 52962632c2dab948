"""A remote that says what it is told to; and a served store with a runner, and people with tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from flowsource.deployments import FlowFacts
from flowsource.schedules import Interval
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.server.serving import Served, served
from tests.store.source_contract import REPORT
from tests.store.words import HOUR, Server, registration
from tests.support.waiting import PATIENCE
from tests.watch.told import Remote

SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "additionalProperties": False}


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield store


@pytest.fixture
async def runner(store: Store) -> Server:
    """A runner that serves `etl/nightly`, hourly, with parameters."""
    now = datetime.now(UTC)
    new = registration(schedules=(Interval(HOUR, now),), source_key=REPORT.key)
    new = replace(new, facts=FlowFacts(name="etl", parameter_schema=SCHEMA))
    runner_id = uuid4()
    deployments = await store.register(runner_id, [new], lease_until=now + HOUR, now=now)
    await store.report_sources([REPORT])
    return Server(store, runner_id, deployments)


@pytest.fixture
async def server(store: Store) -> AsyncIterator[Served]:
    async with served(store) as server:
        yield server


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A person with the token of an operator."""
    shown = {"authorization": f"Bearer {await server.token('anna', 'operator')}"}
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", headers=shown, timeout=PATIENCE) as client:
        yield client
