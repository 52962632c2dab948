"""Presence: a server that lives says so, and those that no longer do are found out, each in its time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.deployments import Declaration, FlowFacts
from flowsource.errors import StoreUnavailable
from flowsource.revisions import Revision
from flowsource.runner import presence
from flowsource.runner.fencing import Pulse
from flowsource.runner.presence import stay_present
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun, Registration
from tests.store.words import runner_ids
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


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
    [run] = (await store.claim(runner_id, [deployment_id], limit=1, now=NOW)).runs
    return await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())


async def never() -> None:
    raise AssertionError("it was not lost")


async def test_a_server_that_dies_on_this_host_is_found_out_at_the_next_look(store: Store, tmp_path: Path) -> None:
    dead, deployment = await appear(store, "dead", lease_until=NOW + timedelta(hours=1))
    run = await a_run_of(store, dead, deployment)
    alive, _ = await appear(store, "alive", lease_until=NOW + timedelta(hours=1))
    (tmp_path / "signs").mkdir()
    (tmp_path / "signs" / str(dead)).touch()
    async with staying(store, alive, tmp_path / "signs"):
        await until_state(store, run, RunState.CRASHED)
    assert await runner_ids(store) == [alive]


async def test_the_runs_of_a_server_that_is_out_of_sight_are_lost_after_some_patience(
    store: Store, tmp_path: Path
) -> None:
    gone, deployment = await appear(store, "gone", lease_until=NOW - timedelta(seconds=1))
    run = await a_run_of(store, gone, deployment)
    alive, _ = await appear(store, "alive", lease_until=NOW + timedelta(minutes=1))
    rounds_before = 0
    renew = store.renew

    async def counting(runner_id: UUID, *, lease_until: datetime) -> None:
        nonlocal rounds_before
        if (await store.run(str(run.id))).state is RunState.RUNNING:
            rounds_before += 1
        await renew(runner_id, lease_until=lease_until)

    store.renew = counting  # type: ignore[method-assign]
    async with staying(store, alive, tmp_path / "signs"):
        await until_state(store, run, RunState.LOST)
    # Whoever wakes from the same sleep has had two rounds to renew before anybody looked.
    assert rounds_before >= 3


async def test_a_server_that_was_given_up_is_told_and_goes_on(store: Store, tmp_path: Path) -> None:
    told = anyio.Event()

    async def on_lost() -> None:
        told.set()

    async with staying(store, uuid4(), tmp_path / "signs", on_lost=on_lost):
        await told.wait()


async def test_the_pulse_beats_only_when_the_store_has_answered(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, _ = await appear(store, "alive", lease_until=NOW + timedelta(minutes=1))
    asked, clock = 0, timedelta(0)

    async def away(runner_id: UUID, *, lease_until: datetime) -> None:
        nonlocal asked
        asked += 1
        raise StoreUnavailable("away")

    pulse, renew = Pulse(lambda: clock), store.renew
    monkeypatch.setattr(store, "renew", away)
    async with staying(store, alive, tmp_path / "signs", pulse=pulse):
        await until(lambda: asked > 2)
        clock = timedelta(seconds=50)
        assert pulse.age == timedelta(seconds=50)
        monkeypatch.setattr(store, "renew", renew)
        await until(lambda: pulse.age == timedelta(0))


async def until_state(store: Store, run: Run, state: RunState) -> None:
    while (await store.run(str(run.id))).state is not state:  # noqa: ASYNC110 - seen in the store
        await anyio.sleep(0.005)


@asynccontextmanager
async def staying(
    store: Store,
    runner_id: UUID,
    signs: Path,
    *,
    on_lost: Callable[[], Awaitable[None]] = never,
    pulse: Pulse | None = None,
) -> AsyncIterator[None]:
    """A server that is present during the block."""
    async with anyio.create_task_group() as tasks:
        stay = partial(stay_present, pulse=pulse or Pulse(), signs=signs)
        tasks.start_soon(stay, store, runner_id, on_lost)
        yield
        tasks.cancel_scope.cancel()
