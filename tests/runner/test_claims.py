"""Claims: as many runs as there are slots, however many are due, and each once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.errors import InvalidInput, NotAllowed
from flowsource.runner.claims import Slots, claim_runs, lend_slots
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import Claimed, NewRun, Outcome
from tests.store.words import registration
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


async def serving(store: Store) -> tuple[UUID, UUID]:
    """A runner and what it serves."""
    runner = uuid4()
    [deployment] = await store.register(runner, [registration()], lease_until=NOW + timedelta(hours=1), now=NOW)
    return runner, deployment.id


async def ask_for(store: Store, deployment_id: UUID, count: int) -> None:
    for _ in range(count):
        await store.create_run(NewRun(deployment_id=deployment_id, scheduled_at=NOW), now=NOW)


async def test_no_more_runs_are_taken_than_there_are_slots_and_each_is_taken_once(store: Store) -> None:
    runner, deployment = await serving(store)
    await ask_for(store, deployment, 30)
    slots, taken, most = Slots(4), Counter[UUID](), 0

    async with anyio.create_task_group() as tasks:

        async def do(run: Run) -> None:
            await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())
            await store.finish(run.id, run.epoch, Outcome(state=RunState.COMPLETED), at=NOW, transition_id=uuid4())
            slots.give_back(run.id)

        def take(run: Run) -> None:
            nonlocal most
            taken[run.id] += 1
            most = max(most, 4 - slots.free)
            tasks.start_soon(do, run)

        tasks.start_soon(claim_runs, store, runner, [deployment], slots, take)
        await until(lambda: len(taken) == 30)
        tasks.cancel_scope.cancel()
    assert set(taken.values()) == {1}
    assert most == 4


async def test_without_a_limit_runs_are_taken_in_portions_that_are_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, deployment = await serving(store)
    await ask_for(store, deployment, 100)
    asked: list[int] = []
    claim = store.claim

    async def counting(runner_id: UUID, ids: list[UUID], *, limit: int, **said: Any) -> Claimed:
        asked.append(limit)
        return await claim(runner_id, ids, limit=limit, **said)

    monkeypatch.setattr(store, "claim", counting)
    taken: list[Run] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(claim_runs, store, runner, [deployment], Slots(None), taken.append)
        await until(lambda: len(taken) == 100)
        tasks.cancel_scope.cancel()
    assert max(asked) == 64


def test_a_slot_that_is_given_back_twice_is_one() -> None:
    slots = Slots(2)
    slots.take(one := uuid4())
    slots.take(uuid4())
    assert slots.free == 0
    slots.give_back(one)
    slots.give_back(one)
    assert slots.free == 1


async def test_the_slot_of_a_run_that_waits_for_another_is_lent_to_that(store: Store) -> None:
    runner, deployment = await serving(store)
    await ask_for(store, deployment, 1)
    slots, taken = Slots(1), list[Run]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lend_slots, store, runner, slots)
        tasks.start_soon(claim_runs, store, runner, [deployment], slots, taken.append)
        await until(lambda: len(taken) == 1)
        waiter = (taken[0].id, taken[0].epoch)
        new = NewRun(deployment_id=deployment, scheduled_at=NOW, awaited_by=waiter)
        child = await store.create_run(new, now=NOW)
        await until(lambda: len(taken) == 2)
        assert taken[1].id == child.id
        await store.go_on(waiter, child.id)
        await until(lambda: slots.free == -1)
        slots.give_back(child.id)
        assert slots.free == 0
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("refusal", [NotAllowed("no"), InvalidInput("no")])
async def test_a_store_that_refuses_or_gives_too_much_harms_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    runner, deployment = await serving(store)
    await ask_for(store, deployment, 10)
    monkeypatch.setattr("flowsource.runner.claims.LOOK_EVERY", timedelta(milliseconds=10))
    claim, refusals = store.claim, [refusal]

    async def lying(runner_id: UUID, ids: list[UUID], *, limit: int, **said: Any) -> Claimed:
        if refusals:
            raise refusals.pop()
        return await claim(runner_id, ids, limit=10, **said)

    monkeypatch.setattr(store, "claim", lying)
    slots, taken = Slots(2), list[Run]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(claim_runs, store, runner, [deployment], slots, taken.append)
        await until(lambda: slots.free == 0)
        tasks.cancel_scope.cancel()
    assert len(taken) == 2
