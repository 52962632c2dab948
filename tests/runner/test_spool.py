"""What is kept on the disk while the store is away is told when it is back, by whoever is there then."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.errors import StoreUnavailable
from flowsource.runner import record
from flowsource.runner.lifesigns import alive, bury_the_dead, spool_of
from flowsource.runner.output.run_log import RunLog
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.record import RunRecord
from flowsource.runner.spool import Spool, deliver_left, deliver_when_back
from flowsource.runs import Run, RunState
from flowsource.settings import LogLimits
from flowsource.store.protocol import Store
from flowsource.store.values import Outcome
from tests.store.words import NOW, lines, registration, serve
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

COMPLETED = Outcome(state=RunState.COMPLETED, has_result=True, result={"half": "\ud800"})


class Away:
    """A store that may be away: each method raises then. What it knows of the time it knows without asking."""

    def __init__(self, store: Store) -> None:
        self.store, self.is_away, self.now = store, True, store.now

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def ask(*args: Any, **kwargs: Any) -> Any:
            if self.is_away:
                raise StoreUnavailable("away")
            return await method(*args, **kwargs)

        return ask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signs" / "runner.spool"


@pytest.fixture
async def claimed(store: Store) -> Run:
    server = await serve(store, registration())
    await server.ask()
    return await server.claim_one()


def end_of(run: Run, key: UUID) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "epoch": run.epoch,
        "outcome": COMPLETED,
        "at": NOW,
        "transition_id": key,
        "began_at": NOW,
    }


async def test_an_end_that_was_kept_is_told_by_the_next_who_starts(store: Store, claimed: Run, path: Path) -> None:
    key = uuid4()
    spool = Spool(path)
    assert await spool.keep_lines(claimed.id, lines(1, 2))
    assert await spool.keep_end(key, "finish", end_of(claimed, key))

    await deliver_left(store, path)

    run = await store.run(str(claimed.id))
    assert (run.state, run.result) == (RunState.COMPLETED, COMPLETED.result)
    assert len(await store.lines(run.id)) == 2
    assert not path.exists()


async def test_what_was_told_already_is_not_kept_for_long(store: Store, claimed: Run, path: Path) -> None:
    key = uuid4()
    spool = Spool(path)
    await spool.keep_end(key, "finish", end_of(claimed, key))
    await spool.keep_end(other := uuid4(), "finish", end_of(claimed, other))
    await spool.end_told(key)
    assert path.exists()
    await spool.end_told(other)
    assert not path.exists()


async def test_what_was_half_written_when_the_machine_stopped_is_passed_over(
    store: Store, claimed: Run, path: Path
) -> None:
    key = uuid4()
    await Spool(path).keep_end(key, "finish", end_of(claimed, key))
    with path.open("ab") as file:
        file.write(b'{"call": "finish", "argum')

    await deliver_left(store, path)

    assert (await store.run(str(claimed.id))).state is RunState.COMPLETED


async def test_what_the_store_takes_no_more_is_left_and_the_rest_is_told(
    store: Store, claimed: Run, path: Path
) -> None:
    spool, key = Spool(path), uuid4()
    await spool.keep_end(uuid4(), "finish", {**end_of(claimed, key), "epoch": 99})
    await spool.keep_end(key, "finish", end_of(claimed, key))

    await deliver_left(store, path)

    assert (await store.run(str(claimed.id))).state is RunState.COMPLETED


async def test_lines_go_before_ends_where_there_is_no_room(claimed: Run, path: Path) -> None:
    key = uuid4()
    spool = Spool(path, most=2000, for_ends=1500)
    kept = 0
    while await spool.keep_lines(claimed.id, lines(kept)):
        kept += 1
    assert kept
    assert await spool.keep_end(key, "finish", end_of(claimed, key))
    assert path.stat().st_size <= 2000


async def test_a_disk_that_takes_nothing_is_told_as_no_room(claimed: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    key = uuid4()
    assert not await Spool(tmp_path / "file" / "spool").keep_end(key, "finish", end_of(claimed, key))


async def test_the_end_of_a_run_survives_its_runner_while_the_store_is_away(
    store: Store, claimed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_STORE_RETRY", timedelta(milliseconds=1))
    assert claimed.runner_id is not None
    signs = tmp_path / "signs"
    spool = Spool(spool_of(signs, claimed.runner_id))
    away: Any = Away(store)
    told = RunRecord(claimed, away, Terminal(StringIO()), on_refused=lambda: None, spool=spool)
    # As a runner that is killed leaves it.
    with suppress(KeyError), alive(signs, claimed.runner_id):
        async with anyio.create_task_group() as tasks:
            told.open(tasks)
            told.started(NOW)
            tasks.start_soon(told.finish, COMPLETED)
            await until(spool_of(signs, claimed.runner_id).exists)
            told.abandon()
        raise KeyError

    await bury_the_dead(store, signs)

    run = await store.run(str(claimed.id))
    assert (run.state, run.started_at, run.result) == (RunState.COMPLETED, NOW, COMPLETED.result)
    assert list(signs.iterdir()) == []


async def test_a_store_that_comes_back_is_told_once_and_nothing_is_left(
    store: Store, claimed: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_STORE_RETRY", timedelta(milliseconds=1))
    away: Any = Away(store)
    told = RunRecord(claimed, away, Terminal(StringIO()), on_refused=lambda: None, spool=Spool(path))
    async with anyio.create_task_group() as tasks:
        told.open(tasks)
        told.started(NOW)
        tasks.start_soon(told.finish, COMPLETED)
        await until(path.exists)
        away.is_away = False

    assert (await store.run(str(claimed.id))).state is RunState.COMPLETED
    assert not path.exists()


async def test_a_flow_that_writes_much_is_not_slowed_by_a_store_that_is_away(
    store: Store, claimed: Run, path: Path
) -> None:
    away: Any = Away(store)
    spool = Spool(path)
    log = RunLog(claimed, store=away, terminal=Terminal(StringIO()), limits=LogLimits(), spool=spool)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(log.save)
        for number in range(12):
            log.printed([f"line {number} {place}" for place in range(1000)], NOW)
            await log.until_room()
        away.is_away = False
        tasks.start_soon(deliver_when_back, spool, store)
        await until(lambda: not path.exists() and not log.unsaved)
        tasks.cancel_scope.cancel()

    kept = await store.lines(claimed.id, limit=20_000)
    assert [line.seq for line in kept] == list(range(1, 12_001))


async def test_lines_that_found_no_room_are_counted(store: Store, claimed: Run, path: Path) -> None:
    away: Any = Away(store)
    spool = Spool(path, most=1000, for_ends=500)
    log = RunLog(claimed, store=away, terminal=Terminal(StringIO()), limits=LogLimits(), spool=spool)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(log.save)
        log.printed(["much"] * 6000, NOW)
        await log.until_room()
        away.is_away = False
        await until(lambda: not log.unsaved)
        tasks.cancel_scope.cancel()

    kept = [line.text for line in await store.lines(claimed.id, limit=20_000)]
    [told] = [text for text in kept if "left out" in text]
    assert told.startswith("... 5,000 lines left out: the store was away")
    assert kept.count("much") == 1000


async def test_what_hooks_wrote_last_is_kept_while_the_store_is_away(store: Store, claimed: Run, path: Path) -> None:
    away, spool = Away(store), Spool(path)
    log = RunLog(claimed, store=away, terminal=Terminal(StringIO()), limits=LogLimits(), spool=spool)
    words = log.of_process()
    words.printed(b"one\ntwo\n")
    words.close()
    await log.save_rest()

    await spool.deliver_lines(store)
    assert [line.text for line in await store.lines(claimed.id)] == ["one", "two"]


async def test_that_the_disk_takes_nothing_is_told_once(
    claimed: Run, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.write_text("a file, where there is to be a directory")
    spool = Spool(path)
    for _ in range(3):
        assert not await spool.keep_lines(claimed.id, lines(1))
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{path} takes nothing (File exists): what waits for the store stays in memory. Make room there."
    ]
    path.parent.unlink()
    assert await spool.keep_lines(claimed.id, lines(1))
