"""Several processes on one PostgreSQL: nothing is given twice, counted wrongly or lost, whoever races."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import anyio.to_thread
import pytest

from flowsource.runs import RunState
from flowsource.schedules import Interval, content_key
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import WORK
from tests.store.postgres_racing import (
    ask_with_keys,
    cancel_each,
    execute_within_the_limit,
    fail_each_once,
    hint_and_pause,
    register_and_leave,
)
from tests.store.racing import Racer, claim_until_none_is_left, create_one, race, schedule_all, write_many
from tests.store.words import GENEROUS, NOW, SECOND, lines, registration, runner_ids, serve

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(postgres_address: str) -> AsyncIterator[Store]:
    async with open_store(postgres_address) as store:
        yield store


async def test_racing_claims_give_each_run_to_one_process_only(store: Store, postgres_address: str) -> None:
    server = await serve(store, registration())
    created = {(await server.ask()).id for _ in range(200)}
    works = [(claim_until_none_is_left, most) for most in (1, 2, 3, 5)]
    given = Counter(run for ledger in await anyio.to_thread.run_sync(race, works, postgres_address) for run in ledger)
    assert given == Counter(created)
    ended = await store.runs(limit=1000)
    assert {(run.state, run.epoch) for run in ended} == {(RunState.COMPLETED, 1)}
    assert all([await store.lines(run.id) == lines(1, 2) for run in ended[:10]])


async def test_racing_claims_never_pass_the_limit_of_all_servers(store: Store, postgres_address: str) -> None:
    server = await serve(store, registration(global_limit=2))
    for _ in range(60):
        await server.ask()
    told = await anyio.to_thread.run_sync(race, [(execute_within_the_limit, 2, 60)] * 4, postgres_address)
    steps = sorted((at, change) for ours in told for begun, ended in ours for at, change in ((begun, 1), (ended, -1)))
    going_on, most = 0, 0
    for _, change in steps:
        going_on += change
        most = max(most, going_on)
    assert (len(steps), going_on) == (120, 0)
    assert most <= 2


async def test_racing_schedulers_create_each_run_once(store: Store, postgres_address: str) -> None:
    every_second = Interval(SECOND, NOW)
    server = await serve(store, registration(schedules=(every_second,)))
    works = [(schedule_all, server.deployment.id, content_key(every_second), 100)] * 3
    created = await anyio.to_thread.run_sync(race, works, postgres_address)
    assert sorted(at for ours in created for at in ours) == [NOW + number * SECOND for number in range(100)]
    assert len(await store.runs(limit=1000)) == 100


async def test_racing_requests_with_one_key_are_one_run(store: Store, postgres_address: str) -> None:
    server = await serve(store, registration())
    works = [(ask_with_keys, server.deployment.id, 50)] * 3
    told = await anyio.to_thread.run_sync(race, works, postgres_address)
    assert told[0] == told[1] == told[2]
    assert {run.id for run in await store.runs(limit=1000)} == set(told[0])


async def test_a_run_that_is_to_end_never_waits_for_another_attempt(store: Store, postgres_address: str) -> None:
    server = await serve(store, registration())
    ids = [(await server.ask()).id for _ in range(100)]
    works: list[tuple[object, ...]] = [
        (fail_each_once,),
        (fail_each_once,),
        (cancel_each, ids),
        (cancel_each, ids[::-1]),
    ]
    await anyio.to_thread.run_sync(race, works, postgres_address)
    assert Counter(run.state for run in await store.runs(limit=1000)) == {RunState.CANCELLED: 100}


async def test_what_is_counted_and_told_misses_nothing(store: Store, postgres_address: str) -> None:
    server = await serve(store, registration())
    await anyio.to_thread.run_sync(race, [(hint_and_pause, server.deployment.id, 40)] * 3, postgres_address)
    assert [wish.hints for wish in await store.source_wishes(["a", "b"])] == [120, 120]
    numbers = [entry.seq for entry in await store.history(server.deployment.id)]
    assert numbers == list(range(len(numbers), 0, -1))


async def test_racing_servers_register_without_a_duplicate(store: Store, postgres_address: str) -> None:
    told = await anyio.to_thread.run_sync(race, [(register_and_leave, 15)] * 4, postgres_address)
    assert told == ["done"] * 4
    assert [one.full_name for one in await store.deployments()] == ["etl/one", "etl/two"]
    assert await runner_ids(store) == []


async def test_processes_that_write_at_once_are_never_refused(store: Store, postgres_address: str) -> None:
    told = await anyio.to_thread.run_sync(race, [(write_many, 50)] * 4, postgres_address)
    assert told == ["done"] * 4
    assert len(await store.runs(limit=100_000)) == 200


async def test_a_write_of_another_process_wakes_at_once(store: Store, postgres_address: str) -> None:
    server = await serve(store, registration())
    writer = Racer(create_one, postgres_address, server.deployment.id)
    async with store.changes(WORK) as changes:
        writer.begin()
        assert await changes.wait(GENEROUS)
    assert (await store.run(str(writer.told()))).state is RunState.SCHEDULED
    assert writer.end() == 0
