"""What the tests of a runner begin with: what starts runs, a place to write flows, a run that was claimed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import pytest

from flowsource.runner.processes.starter import Starter, open_starter
from flowsource.runs import Run
from flowsource.settings import START_METHODS
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun
from tests.store.words import registration


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Starter]:
    """What starts runs when nothing else is asked for."""
    async with open_starter() as server:
        yield server


@pytest.fixture(scope="module", params=START_METHODS)
async def starter(request: pytest.FixtureRequest) -> AsyncIterator[Starter]:
    """What starts runs, by one method after the other: for what must hold under each."""
    async with open_starter(request.param) as starter:
        yield starter


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes files by name (`flows` is flows.py) into a directory, and returns it."""

    def write(**files: str) -> Path:
        root = tmp_path / "code"
        root.mkdir(exist_ok=True)
        for name, text in files.items():
            (root / f"{name}.py").write_text(dedent(text))
        return root

    return write


@pytest.fixture
async def run(store: Store) -> Run:
    """A run that was claimed."""
    runner, now = uuid4(), datetime.now(UTC)
    [deployment] = await store.register(runner, [registration()], lease_until=now + timedelta(hours=1), now=now)
    await store.create_run(NewRun(deployment_id=deployment.id, scheduled_at=now), now=now)
    [run] = (await store.claim(runner, [deployment.id], limit=1, now=now)).runs
    return run
