"""Migrations: up and down with rows in the tables, each step whole or not at all, on both databases."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import anyio
import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from flowsource.errors import StoreError, StoreVersionMismatch
from flowsource.store import migrating, open_store
from flowsource.store.database import Database
from flowsource.store.schema import REVISIONS
from tests.store.migrating.databases import HALF_WAY, TESTED, make_oldest, opened, rows_of, shape_of
from tests.store.words import ANNA, COMPLETED, HOUR, HOURLY, NOW, end, lines, registration, serve
from tests.support.modules import modules_loaded_by


def fill(where: Path | str) -> None:
    """Have a row in most tables."""

    async def work() -> None:
        async with open_store(f"sqlite:///{where}" if isinstance(where, Path) else where) as store:
            server = await serve(store, registration(schedules=(HOURLY,)))
            await store.set_paused(server.deployment.id, True, author=ANNA, now=NOW)
            await store.hint_sources(["key"])
            first = await server.ask()
            claimed = await server.start_one()
            await server.ask(NOW + HOUR, parent_id=first.id)
            await store.append_lines(first.id, lines(1, 2))
            await end(store, claimed, COMPLETED)

    anyio.run(work)


def colours_of(database: Database) -> list[str]:
    """What a step of the tests says of each run."""
    asked = text("SELECT colour FROM runs")
    return database.read(lambda connection: list(connection.execute(asked).scalars()))


def test_the_revisions_that_are_named_are_those_that_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    there = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert there[::-1] == list(REVISIONS)


def test_the_steps_lead_to_the_same_tables_as_a_new_database_has(where: Path | str, tmp_path: Path) -> None:
    with opened(where) as database:
        fresh = shape_of(database)
    if isinstance(where, Path):
        where = tmp_path / "other.db"
    else:
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
    make_oldest(where)
    with opened(where) as database:
        assert shape_of(database) == fresh
    fill(where)


def test_rows_go_up_and_down_unharmed(where: Path | str) -> None:
    fill(where)
    with opened(where) as database:
        shape, rows = shape_of(database), rows_of(database)
        assert (rows["runs"], rows["log_lines"]) == (2, 2)
    with opened(where, TESTED) as database:
        asked = "SELECT colour, of_flow, (SELECT count(*) FROM shades) FROM runs"
        told = database.read(lambda connection: connection.execute(text(asked)).all())
        assert [tuple(row) for row in told] == [("blue", "etl", 2)] * 2
        database.downgrade("9001")
        assert colours_of(database) == ["red", "red"]
        database.downgrade(REVISIONS[-1])
    with opened(where) as database:
        assert (shape_of(database), rows_of(database)) == (shape, rows)
        database.downgrade(REVISIONS[0])
    with opened(where) as database:
        assert shape_of(database) == shape
        assert {name: rows_of(database)[name] for name in ("runs", "log_lines")} == {"runs": 2, "log_lines": 2}


def test_a_step_that_fails_leaves_the_one_before_it_whole(where: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(where)
    monkeypatch.setenv("TEST_STEP", "fails")
    with pytest.raises(RuntimeError, match="half way"), opened(where, TESTED):
        pass
    with opened(where, HALF_WAY) as database:
        assert colours_of(database) == ["red", "red"]
        assert "shades" not in shape_of(database)


def test_a_step_that_is_killed_leaves_the_one_before_it_whole(
    where: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(where)
    monkeypatch.setenv("TEST_STEP", "killed")
    upgrade = (
        "import sys; from pathlib import Path; from tests.store.migrating.databases import TESTED, opened\n"
        "where = sys.argv[1]\n"
        "with opened(where if '://' in where else Path(where), TESTED): pass"
    )
    ended = subprocess.run([sys.executable, "-c", upgrade, str(where)], check=False)
    assert ended.returncode == -9
    monkeypatch.delenv("TEST_STEP")
    with opened(where, HALF_WAY) as database:
        assert "shades" not in shape_of(database)
    with opened(where, TESTED) as database:
        assert "shades" in shape_of(database)


def test_a_step_that_leaves_a_reference_to_nothing_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "flowsource.db"
    fill(file)
    monkeypatch.setenv("TEST_STEP", "breaks a reference")
    with pytest.raises(StoreError, match=r"refers to one that is not there.*9002"), opened(file, TESTED):
        pass
    monkeypatch.delenv("TEST_STEP")
    with opened(file, TESTED) as database:
        assert colours_of(database) == ["blue", "blue"]


def test_of_several_that_start_at_once_one_takes_the_steps(where: Path | str) -> None:
    fill(where)

    def upgrade(_: int) -> None:
        with opened(where, TESTED) as database:
            assert "shades" in shape_of(database)

    with ThreadPoolExecutor(4) as several:
        list(several.map(upgrade, range(4)))


def test_what_no_revision_here_leads_to_is_refused_with_both_versions(where: Path | str) -> None:
    with opened(where, TESTED) as database:
        newer = shape_of(database)
    with pytest.raises(StoreVersionMismatch, match=r"version 9002.*knows 0001 to \d{4}.*or a newer one"), opened(where):
        pass
    with opened(where, TESTED) as database:
        assert shape_of(database) == newer
        with pytest.raises(StoreVersionMismatch, match="7777"):
            database.downgrade("7777")


def test_a_file_from_before_revisions_is_taken_for_one_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "flowsource.db"
    with opened(tmp_path / "fresh.db") as database:
        fresh = shape_of(database)
    make_oldest(file)
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE alembic_version")
        connection.execute("INSERT INTO runners VALUES (?, 1)", [uuid4().hex])
    connection.close()
    with opened(file) as database:
        assert shape_of(database) == fresh
        assert rows_of(database)["runners"] == 1


def test_whoever_opens_what_is_up_to_date_loads_no_alembic(tmp_path: Path) -> None:
    with opened(tmp_path / "flowsource.db"):
        pass
    loaded = modules_loaded_by(
        "import anyio, asyncio\nfrom flowsource.store import open_store\n"
        f"async def look():\n    async with open_store('sqlite:///{tmp_path}/flowsource.db') as store:\n"
        "        await store.runners()\n"
        "anyio.run(look)"
    )
    assert "sqlalchemy" in loaded
    assert "alembic" not in loaded
    assert "psycopg" not in loaded
