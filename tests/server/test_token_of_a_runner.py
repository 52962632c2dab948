"""What a runner does by itself can be done with the token of a runner."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from flowsource.events import new_event
from flowsource.runner.lifesigns import bury_the_dead, spool_of
from flowsource.runner.spool import Spool
from flowsource.runner.triggering import Eyes
from flowsource.runs import RunState
from flowsource.store import open_store
from flowsource.triggers import EventTrigger
from tests.server.serving import served
from tests.store.words import COMPLETED, NOW, SECOND, registration, serve

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


async def test_what_a_dead_runner_left_is_told_by_one_with_its_token_and_by_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = tmp_path / "signs"
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as memory, served(memory) as server:
        dead = await serve(memory, registration(), owner="them")
        await dead.ask()
        run = await dead.start_one()
        spool = Spool(spool_of(signs, dead.id))
        end = {"run_id": run.id, "epoch": run.epoch, "outcome": COMPLETED, "at": NOW, "transition_id": uuid4()}
        assert await spool.keep_end(uuid4(), "finish", end)
        (signs / str(dead.id)).touch()

        for name, state in (("us", RunState.RUNNING), ("them", RunState.COMPLETED)):
            monkeypatch.setenv("FLOWSOURCE_TOKEN", await server.token(name, "runner"))
            async with open_store(server.url) as store:
                assert await bury_the_dead(store, signs) == []
            assert (await memory.run(str(run.id))).state is state
        assert list(signs.iterdir()) == []
