"""Runs that are copied into the database of a product."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from benchmarks.peer import copies
from benchmarks.peer.copies import Rows, copy_run

KINDS = (Rows("runs", "id", ids=("id", "key")), Rows("steps", "run", ids=("id",), counted="number"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, key TEXT UNIQUE, last TEXT, word TEXT)")
        connection.execute("CREATE TABLE steps (number INTEGER PRIMARY KEY, id TEXT UNIQUE, run TEXT, word TEXT)")
        yield connection


def put(connection: sqlite3.Connection, *, key: str | None = None) -> str:
    """A run with two steps, of which it names the last."""
    run, steps = uuid4().hex, [str(uuid4()), str(uuid4())]
    connection.execute("INSERT INTO runs VALUES (?, ?, ?, 'ended')", (run, key, steps[1]))
    connection.executemany("INSERT INTO steps (id, run, word) VALUES (?, ?, 'step')", [(step, run) for step in steps])
    connection.commit()
    return run


def test_each_copy_has_ids_of_its_own_wherever_they_stand(
    database: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_AT_ONCE", 2)
    put(database)
    copy_run(tmp_path / "runs.db", put(database, key=str(uuid4())), KINDS, 5)
    runs = database.execute("SELECT id, key, last, word FROM runs").fetchall()
    assert len(runs) == 7
    assert len({UUID(key) for _, key, *_ in runs if key is not None}) == 6
    for run, _, last, word in runs:
        assert (len(run), word) == (32, "ended")
        steps = database.execute("SELECT id, word FROM steps WHERE run = ? ORDER BY number", (run,)).fetchall()
        assert [word for _, word in steps] == ["step", "step"]
        assert steps[1][0] == last


def test_a_run_that_is_not_there_is_told(database: sqlite3.Connection, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="there is no run nobody"):
        copy_run(tmp_path / "runs.db", "nobody", KINDS, 1)
