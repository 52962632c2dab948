"""Presence: a server that lives says so, and those that no longer do are found out, each in its time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.deployments import Declaration, FlowFacts
from flowsource.revisions import Revision
from flowsource.runner import presence
from flowsource.runner.presence import stay_present
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from flowsource.store.protocol import NewRun, Registration, Store

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield store


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "RENEW_EVERY", timedelta(milliseconds=20))


async def appear(store: Store, name: str, *, lease_until: datetime) -> tuple[UUID, UUID]:
    declared = Declaration(name=name, entrypoint="flows.py:etl", source_key="git-x", source_label="x")
    registration = Registration(declared=declared, facts=FlowFacts(name="etl"), active=Revision(id="a" * 40))
    runner_id = uuid4()
    [deployment] = await store.register(runner_id, [registration], lease_until=lease_until, now=NOW)
    return runner_id, deployment.id


async def a_run_of(store: Store, runner_id: UUID, deployment_id: UUID) -> Run:
    await store.create_run(NewRun(deployment_id=deployment_id, scheduled_at=NOW), now=NOW)
    [run] = await store.claim(runner_id, [deployment_id], limit=1, now=NOW)
    return await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())


async def never() -> None:
    raise AssertionError("it was not lost")


async def test_the_runs_of_a_server_that_is_gone_are_told_as_crashed_after_some_patience(store: Store) -> None:
    gone, deployment = await appear(store, "gone", lease_until=NOW - timedelta(seconds=1))
    run = await a_run_of(store, gone, deployment)
    alive, _ = await appear(store, "alive", lease_until=NOW + timedelta(minutes=1))
    reaped_in_round = 0
    renew = store.renew

    async def counting(runner_id: UUID, *, lease_until: datetime) -> None:
        nonlocal reaped_in_round
        if not (await store.run(str(run.id))).state.is_final:
            reaped_in_round += 1
        await renew(runner_id, lease_until=lease_until)

    store.renew = counting  # type: ignore[method-assign]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stay_present, store, alive, never)
        with anyio.fail_after(10):
            while (await store.run(str(run.id))).state is not RunState.CRASHED:  # noqa: ASYNC110 - seen in the store
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    # Whoever wakes from the same sleep has had two rounds to renew before anybody looked.
    assert reaped_in_round >= 3


async def test_a_server_that_was_given_up_is_told_and_goes_on(store: Store) -> None:
    lost, told = uuid4(), anyio.Event()

    async def on_lost() -> None:
        told.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stay_present, store, lost, on_lost)
        with anyio.fail_after(10):
            await told.wait()
        tasks.cancel_scope.cancel()
