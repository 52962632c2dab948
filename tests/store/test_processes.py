"""Several processes on one SQLite file: nothing is given twice, refused or lost, whoever races or is killed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import anyio.to_thread
import pytest

from flowsource.runs import RunState
from flowsource.schedules import Interval, content_key
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import WORK, about
from tests.store.racing import (
    Racer,
    add_schedules,
    claim_until_none_is_left,
    create_for_ever,
    create_one,
    listen_for_ever,
    race,
    schedule_all,
    write_many,
)
from tests.store.words import GENEROUS, NOW, SECOND, lines, registration, serve
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "flowsource.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{file}") as store:
        yield store


def integrity(file: Path) -> str:
    database = sqlite3.connect(file)
    try:
        [(told,)] = database.execute("PRAGMA integrity_check").fetchall()
    finally:
        database.close()
    return str(told)


async def test_racing_claims_give_each_run_to_one_process_only(store: Store, file: Path) -> None:
    server = await serve(store, registration())
    created = {(await server.ask()).id for _ in range(200)}
    works = [(claim_until_none_is_left, most) for most in (1, 2, 3, 5)]
    given = Counter(run for ledger in await anyio.to_thread.run_sync(race, works, file) for run in ledger)
    assert given == Counter(created)
    ended = await store.runs(limit=1000)
    assert {(run.state, run.epoch) for run in ended} == {(RunState.COMPLETED, 1)}
    assert all([await store.lines(run.id) == lines(1, 2) for run in ended[:10]])


async def test_racing_schedulers_create_each_run_once(store: Store, file: Path) -> None:
    every_second = Interval(SECOND, NOW)
    server = await serve(store, registration(schedules=(every_second,)))
    works = [(schedule_all, server.deployment.id, content_key(every_second), 100)] * 2
    created = await anyio.to_thread.run_sync(race, works, file)
    assert sorted(created[0] + created[1]) == [NOW + number * SECOND for number in range(100)]
    assert len(await store.runs(limit=1000)) == 100


async def test_of_people_who_add_the_same_schedules_at_once_one_adds_each(store: Store, file: Path) -> None:
    server = await serve(store, registration())
    works = [(add_schedules, server.deployment.id, name, 30) for name in ("ada", "grace", "hedy")]
    added = await anyio.to_thread.run_sync(race, works, file)
    assert sorted(slug for slugs in added for slug in slugs) == sorted(map(str, range(30)))
    states = await store.schedules([server.deployment.id])
    assert len({state.schedule.slug for state in states}) == len(states) == 30
    assert len(await store.history(server.deployment.id)) == 31


async def test_processes_that_write_at_once_are_never_refused(store: Store, file: Path) -> None:
    told = await anyio.to_thread.run_sync(race, [(write_many, 50)] * 4, file)
    assert told == ["done"] * 4
    assert len(await store.runs(limit=100_000)) == 200
    assert integrity(file) == "ok"


@pytest.mark.parametrize("acknowledged", [0, 1, 7, 20, 40])
async def test_what_was_acknowledged_survives_a_kill(file: Path, acknowledged: int) -> None:
    writer = Racer(create_for_ever, file)
    writer.begin()
    told = {writer.told() for _ in range(acknowledged)}
    writer.process.kill()
    while writer.is_telling():
        try:
            told.add(writer.told())
        except (EOFError, OSError):
            break
    assert writer.end() == -9
    assert integrity(file) == "ok"
    async with open_store(f"sqlite:///{file}") as store:
        kept = {run.id for run in await store.runs(limit=100_000)}
        assert told <= kept
        assert len(kept) <= len(told) + 1
        await (await serve(store, registration())).ask()


async def test_a_write_of_another_process_wakes_at_once(store: Store, file: Path) -> None:
    server = await serve(store, registration())
    writer = Racer(create_one, file, server.deployment.id)
    async with store.changes(WORK) as changes:
        writer.begin()
        assert await changes.wait(GENEROUS)
    assert (await store.run(str(writer.told()))).state is RunState.SCHEDULED
    assert writer.end() == 0


async def test_the_ear_of_a_killed_process_is_swept_away_by_the_next_that_opens_the_store(file: Path) -> None:
    listener = Racer(listen_for_ever, file, about(uuid4()))
    listener.begin()
    assert listener.told() == "listening"
    listener.process.kill()
    assert listener.end() == -9
    bells = file.with_name(f"{file.name}.bells")
    assert len(list(bells.iterdir())) == 1
    async with open_store(f"sqlite:///{file}"):
        assert list(bells.iterdir()) == []


async def test_the_ear_of_a_killed_process_is_swept_away_by_the_next_that_rings(store: Store, file: Path) -> None:
    server = await serve(store, registration())
    run = await server.ask()
    listener = Racer(listen_for_ever, file, about(run.id))
    listener.begin()
    assert listener.told() == "listening"
    listener.process.kill()
    assert listener.end() == -9
    bells = file.with_name(f"{file.name}.bells")
    assert len(list(bells.iterdir())) == 1
    await store.append_lines(run.id, lines(1))
    await until(lambda: not list(bells.iterdir()))
