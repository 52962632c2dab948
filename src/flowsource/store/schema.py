"""Which tables a database has: the revision it is at, and the way from there to ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from flowsource.errors import StoreError, StoreVersionMismatch
from flowsource.store.tables import metadata

# Each comes after the one before it.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
# As Alembic has it.
_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


@dataclass(frozen=True, slots=True)
class Lineage:
    """The revisions of the tables that are known, oldest first, and the directories with the steps between them."""

    revisions: tuple[str, ...] = REVISIONS
    places: tuple[Path, ...] = (Path(__file__).parent / "migrations" / "versions",)

    @property
    def newest(self) -> str:
        """The revision that this flowsource works with."""
        return self.revisions[-1]

    def step(self, at: str, *, to: str, where: str) -> str | None:
        """The revision next to `at` on the way to `to`, or None where that is reached.

        Raises StoreVersionMismatch where the way is not known. `where` tells a person which database it is.

        >>> Lineage(("a", "b", "c")).step("a", to="c", where="flows.db")
        'b'
        """
        for one in (at, to):
            if one not in self.revisions:
                raise StoreVersionMismatch(
                    f"{where}: its tables are those of version {at}, and the way from there to {to} is not known to "
                    f"this flowsource, which knows {self.revisions[0]} to {self.newest}. Use the flowsource that wrote "
                    "it, or a newer one, or name another store in FLOWSOURCE_STORE."
                )
        place, goal = self.revisions.index(at), self.revisions.index(to)
        if place == goal:
            return None
        return self.revisions[place + 1 if place < goal else place - 1]


def revision_of(connection: Connection) -> str | None:
    """The revision that a database is at; None for one that does not say."""
    if not inspect(connection).has_table(_version.name):
        return None
    found: str | None = connection.execute(select(_version.c.version_num)).scalar()
    return found


def make(connection: Connection, revision: str, *others: MetaData, where: str) -> None:
    """Make all tables, with those of `others`, where there are none; raises StoreError where there are."""
    if inspect(connection).get_table_names():
        raise StoreError(f"{where} is the database of another program. Name another one in FLOWSOURCE_STORE.")
    from flowsource.store import indexes  # noqa: F401  # Read once in the life of a database, and belongs to the tables.

    for tables in (metadata, *others):
        tables.create_all(connection, checkfirst=False)
    stamp(connection, revision)


def stamp(connection: Connection, revision: str) -> None:
    """Have a database that does not say it say at which revision it is."""
    _version.create(connection)
    connection.execute(insert(_version), {"version_num": revision})
