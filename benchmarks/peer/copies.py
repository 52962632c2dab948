"""Runs that have ended, by the thousand: copies of one of them, put into the SQLite database of a product."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a run in `table`, which hold its id in the column `of`. In `ids` are what no two rows may share, and
    `counted` is numbered by the database."""

    table: str
    of: str
    ids: Sequence[str] = ()
    counted: str = ""


def copy_run(database: Path, run: str, kinds: Sequence[Rows], count: int) -> None:
    """Have `count` more runs like `run`, the first of `kinds` being what says that there is one: all is the same but
    its ids, which are others wherever they stand. Raises LookupError where there is no such run."""
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        connection.row_factory = sqlite3.Row
        originals = [(kind, _rows(connection, kind, run)) for kind in kinds]
        if not originals[0][1]:
            raise LookupError(f"there is no run {run} in {database}")
        ids = {row[name] for kind, rows in originals for row in rows for name in kind.ids if row[name] is not None}
        for begin in range(0, count, _AT_ONCE):
            # All of a run is written before somebody looks.
            with connection:
                for _ in range(min(_AT_ONCE, count - begin)):
                    others = {old: _another(old) for old in ids}
                    for kind, rows in originals:
                        for row in rows:
                            _insert(connection, kind, row, others)


def _rows(connection: sqlite3.Connection, kind: Rows, run: str) -> list[sqlite3.Row]:
    return connection.execute(f"SELECT * FROM {kind.table} WHERE {kind.of} = ?", (run,)).fetchall()


def _insert(connection: sqlite3.Connection, kind: Rows, row: sqlite3.Row, others: Mapping[Any, str]) -> None:
    names = [name for name in row.keys() if name != kind.counted]  # noqa: SIM118 - a row is iterated by its values
    places = ", ".join("?" * len(names))
    values = [others.get(row[name], row[name]) for name in names]
    connection.execute(f"INSERT INTO {kind.table} ({', '.join(names)}) VALUES ({places})", values)


def _another(name: str) -> str:
    """A UUID that is written as that one is."""
    return str(uuid4()) if "-" in name else uuid4().hex
