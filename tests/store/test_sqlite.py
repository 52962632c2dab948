"""The store in a SQLite file: what every store promises, and what a file must keep."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection

from flowsource.errors import InvalidSettings, StoreError, StoreUnavailable, StoreVersionMismatch
from flowsource.store import open_store, sqlite
from flowsource.store.protocol import Store
from tests.store.contract import StoreContract
from tests.store.words import HOUR, NOW, end, lines, registration, serve

pytestmark = pytest.mark.anyio

SYNCHRONOUS = {0: "off", 1: "normal", 2: "full"}  # as SQLite numbers them


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flowsource.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{file}") as store:
        yield store


class TestSqlite(StoreContract):
    pass


async def test_what_was_written_is_there_when_the_file_is_opened_again(file: Path) -> None:
    async with open_store(f"sqlite:///{file}") as store:
        run = await (await serve(store, registration())).ask()
    async with open_store(f"sqlite:///{file}") as store:
        assert await store.run(run.name) == run


async def test_nobody_else_may_read_any_of_its_files(store: Store, file: Path) -> None:
    await (await serve(store, registration())).ask()
    for path in (file.parent, *file.parent.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_only_the_database_and_its_lock_are_left_after_the_last_has_closed(file: Path) -> None:
    async with open_store(f"sqlite:///{file}") as store, store.changes("work"), store.changes("work", "more"):
        await serve(store, registration())
    assert {path.name for path in file.parent.rglob("*")} == {file.name, f"{file.name}.lock", f"{file.name}.bells"}


async def test_the_write_ahead_log_does_not_grow_for_ever(store: Store, file: Path) -> None:
    run = await (await serve(store, registration())).ask()
    wal = file.with_name(f"{file.name}-wal")
    largest = 0
    for start in range(1, 60_000, 4000):
        await store.append_lines(run.id, lines(*range(start, start + 4000)))
        largest = max(largest, wal.stat().st_size)
    assert largest < 2 * 1000 * 4096
    assert wal.stat().st_size < largest


async def test_a_reader_in_the_middle_of_an_answer_holds_up_no_writer(store: Store, file: Path) -> None:
    run = await (await serve(store, registration())).ask()
    reader = sqlite3.connect(file, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchone()
        for start in range(1, 30_000, 5000):
            await store.append_lines(run.id, lines(*range(start, start + 5000)))
        assert len(await store.lines(run.id, limit=50_000)) == 30_000
        assert reader.execute("SELECT count(*) FROM log_lines").fetchone() == (0,)
    finally:
        reader.close()


async def test_a_database_of_another_version_is_refused_with_both_versions(file: Path) -> None:
    async with open_store(f"sqlite:///{file}"):
        pass
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(StoreVersionMismatch, match=r"version 99.*version 4.*Use the flowsource"):
        await open_store(f"sqlite:///{file}").__aenter__()


async def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    with pytest.raises(StoreError, match="another program"):
        await open_store(f"sqlite:///{file}").__aenter__()
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    database.close()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    text = "buy milk\n" * 1000
    file.write_text(text)
    with pytest.raises(StoreError, match=r"notes\.txt is not a database.*Move it away"):
        await open_store(f"sqlite:///{file}").__aenter__()
    assert file.read_text() == text


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(StoreUnavailable, match=r"file/flow\.db.*FLOWSOURCE_HOME"):
        await open_store(f"sqlite:///{in_the_way}/flow.db").__aenter__()


async def test_a_lock_that_is_never_freed_is_told_instead_of_waited_for(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", timedelta(milliseconds=20))
    server = await serve(store, registration())
    async with open_store(f"sqlite:///{file}") as impatient:
        foreign = sqlite3.connect(file, isolation_level=None)
        try:
            foreign.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                await serve(impatient, registration())
        finally:
            foreign.close()
        await serve(impatient, registration())
    await server.ask()


async def test_what_was_answered_is_on_the_disk_where_losing_it_would_break_a_promise(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []

    def write(self: sqlite.SqliteDatabase, change: Callable[[Connection], Any], **said: Any) -> Any:
        def watched(connection: Connection) -> Any:
            levels.append(SYNCHRONOUS[connection.exec_driver_sql("PRAGMA synchronous").scalar_one()])
            return change(connection)

        return original(self, watched, **said)

    original = sqlite.SqliteDatabase.write
    monkeypatch.setattr(sqlite.SqliteDatabase, "write", write)
    server = await serve(store, registration())
    await store.renew(server.id, lease_until=NOW + HOUR)
    run = await server.ask()
    claimed = await server.claim_one()
    await store.start(run.id, claimed.epoch, at=NOW, transition_id=uuid4())
    await store.append_lines(run.id, lines(1))
    await end(store, claimed)
    assert levels == ["full", "normal", "full", "full", "normal", "normal", "full"]


async def test_one_file_is_one_store_however_it_is_spelled(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.mkdir()
    (tmp_path / "link.db").symlink_to(file)
    (tmp_path / "elsewhere").symlink_to(file.parent)
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.chdir(tmp_path)
    for spelling in (f"{tmp_path}/link.db", f"{tmp_path}/elsewhere/{file.name}", f"~/{file.name}", "link.db"):
        async with open_store(f"sqlite:///{spelling}") as store:
            await serve(store, registration())
            beside = {path.name.removeprefix(file.name) for path in file.parent.iterdir()}
            assert beside == {"", "-wal", "-shm", ".lock", ".bells"}, spelling
    assert {path.name for path in tmp_path.iterdir()} == {file.parent.name, "link.db", "elsewhere"}


@pytest.mark.parametrize("url", ["", "sqlite:///", "sqlite://", "/a/path", "mysql://user:hunter2@host/db"])
def test_what_is_no_address_of_a_store_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidSettings, match=r"is not a store. Give sqlite:///PATH") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
