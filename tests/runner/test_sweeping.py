"""What killed servers left: removed once it is sure that nobody uses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from flowsource.runner.sweeping import sweep_workplaces
from flowsource.runs import RunState
from flowsource.store import open_store
from flowsource.store.values import NewRun, Outcome
from tests.server.serving import served
from tests.store.words import registration, serve

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=2)


async def test_only_the_places_of_runs_that_ended_long_ago_are_removed(tmp_path: Path) -> None:
    scratch, runner = tmp_path / "scratch", uuid4()
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        await sweep_workplaces(store, scratch, now=NOW)
        [deployment] = await store.register(runner, [registration()], lease_until=LATER, now=NOW)
        for _ in range(2):
            await store.create_run(NewRun(deployment_id=deployment.id, scheduled_at=NOW), now=NOW)
        over, running = (await store.claim(runner, [deployment.id], limit=2, now=NOW)).runs
        for run in (over, running):
            await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())
        await store.finish(over.id, over.epoch, Outcome(state=RunState.COMPLETED), at=NOW, transition_id=uuid4())
        places = [f"{over.id}-1", f"{over.id}-1-work", f"{running.id}-1", f"{uuid4()}-1", "a note of somebody else"]
        for name in places:
            (scratch / name / "data").mkdir(parents=True)
        await sweep_workplaces(store, scratch, now=NOW)
        assert sorted(path.name for path in scratch.iterdir()) == sorted([*places[:3], places[4]])
        await sweep_workplaces(store, scratch, now=LATER)
        assert sorted(path.name for path in scratch.iterdir()) == sorted([places[2], places[4]])


async def test_the_place_of_a_run_that_another_token_owns_is_left_to_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as memory, served(memory) as server:
        theirs = await serve(memory, registration(), owner="them")
        await theirs.ask()
        run = await theirs.start_one()
        monkeypatch.setenv("FLOWSOURCE_TOKEN", await server.token("us", "runner"))
        (tmp_path / "scratch" / f"{run.id}-{run.epoch}").mkdir(parents=True)

        async with open_store(server.url) as store:
            await sweep_workplaces(store, tmp_path / "scratch", now=LATER)

        assert [path.name for path in (tmp_path / "scratch").iterdir()] == [f"{run.id}-{run.epoch}"]
