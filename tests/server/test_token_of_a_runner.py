"""What a runner does by itself can be done with the token of a runner."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from flowsource.events import new_event
from flowsource.runner.triggering import Eyes
from flowsource.store import open_store
from flowsource.triggers import EventTrigger
from tests.server.serving import served
from tests.store.words import NOW, SECOND, registration, serve

pytestmark = pytest.mark.anyio


async def test_what_does_not_come_after_an_event_of_long_ago_makes_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpaid = EventTrigger(after="order.created", expect="order.paid", posture="Proactive", within=10)
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as memory, served(memory) as server:
        monkeypatch.setenv("FLOWSOURCE_TOKEN", await server.token("fleet", "runner"))
        async with open_store(server.url) as store:
            runner = await serve(store, registration(triggers=(unpaid,)))
            eyes = Eyes(store, [runner.deployment.id])
            created = new_event("order.created", at=NOW)
            await memory.emit([created])
            await eyes.look(now=NOW)

            await eyes.look(now=NOW + timedelta(seconds=10) + 2 * SECOND)

            [run] = await store.runs(deployment_id=runner.deployment.id)
            assert run.cause is not None
            assert run.cause.event is not None
            assert run.cause.event.id == created.id
