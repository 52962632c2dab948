"""Databases for the tests of migrations: opened at a revision, seen as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, func, inspect, select

from flowsource.store.database import Database
from flowsource.store.migrating import take_step
from flowsource.store.postgres.database import PostgresDatabase
from flowsource.store.schema import REVISIONS, Lineage
from flowsource.store.sqlite import SqliteDatabase
from flowsource.store.tables import SCHEMA_VERSION, metadata

_OURS = Lineage()
# Two steps more, that only the tests know.
TESTED = Lineage((*REVISIONS, "9001", "9002"), (*_OURS.places, Path(__file__).parent / "steps"))
HALF_WAY = Lineage(TESTED.revisions[:-1], TESTED.places)


@contextmanager
def opened(where: Path | str, lineage: Lineage = _OURS) -> Iterator[SqliteDatabase | PostgresDatabase]:
    """The database in a file, or at an address, brought up to the newest of `lineage`."""
    database = SqliteDatabase(where, lineage) if isinstance(where, Path) else PostgresDatabase(where, lineage)
    try:
        yield database
    finally:
        database.close()


def make_oldest(where: Path | str) -> None:
    """Make the tables of the first revision, by its step."""
    if isinstance(where, Path):
        engine = create_engine(f"sqlite:///{where}")
    else:
        engine = create_engine("postgresql+psycopg://", creator=partial(psycopg.connect, where))
    with engine.begin() as connection:
        take_step(connection, Lineage(("", REVISIONS[0])), "", REVISIONS[0])
        if isinstance(where, Path):
            connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
    engine.dispose()


def shape_of(database: Database) -> dict[str, Any]:
    """All that a database says of its tables, in one order."""

    def look(connection: Connection) -> dict[str, Any]:
        seen = inspect(connection)
        return {
            table: {
                "columns": {
                    column["name"]: (str(column["type"]), column["nullable"], column.get("autoincrement"))
                    for column in seen.get_columns(table)
                },
                "primary key": seen.get_pk_constraint(table)["constrained_columns"],
                "foreign keys": sorted(
                    (key["constrained_columns"], key["referred_table"], key["referred_columns"], str(key["options"]))
                    for key in seen.get_foreign_keys(table)
                ),
                "unique": sorted(one["column_names"] for one in seen.get_unique_constraints(table)),
                "indexes": {
                    str(index["name"]): (
                        index["column_names"],
                        bool(index["unique"]),
                        str(index.get("dialect_options", {}).get(f"{connection.dialect.name}_where")),
                    )
                    for index in seen.get_indexes(table)
                },
                "options": str(seen.get_table_options(table)),
            }
            for table in sorted(seen.get_table_names())
        }

    return database.read(look)


def rows_of(database: Database) -> dict[str, int]:
    """How many rows each of our tables has."""

    def count(connection: Connection) -> dict[str, int]:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }

    return database.read(count)
