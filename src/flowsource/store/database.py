"""What a store in a database needs of its database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from flowsource.store.schema import Lineage

T = TypeVar("T")


class Database(Protocol):
    """An open database. Its methods block: call them from worker threads, `readers` and `writers` of them at once."""

    @property
    def lineage(self) -> Lineage:
        """The revisions of its tables that are known, of which it is at the newest."""

    @property
    def readers(self) -> int:
        """How many may read at once."""

    @property
    def writers(self) -> int:
        """How many may write at once."""

    def now(self) -> datetime:
        """The time by its clock, as far as it is known here."""

    def read(self, ask: Callable[[Connection], T]) -> T:
        """What `ask` returns, each of its statements seeing the last commit."""

    def write(self, change: Callable[[Connection], T], *, durable: bool, alone: bool = False) -> T:
        """What `change` returns, once its writes are committed: all of them, or none when it raises.

        A `durable` commit is on the disk when this returns, and with it each one before. Another may be lost when the
        machine stops, not when the process does. While one goes on that is to be made `alone` there is no other, in
        whichever process. Those that are not must hold against others at the same time. `change` may be called again
        where it could not be carried out; it is carried out once.
        """

    def downgrade(self, to: str) -> None:
        """Bring the tables back to the revision `to`, for an older flowsource.

        Raises StoreVersionMismatch for one that is not known. Nobody else may use the database meanwhile, nor after.
        """

    def close(self) -> None:
        """Close every connection."""


def has_other_writers(connection: Connection) -> bool:
    """Whether others may write while the transaction of `connection` goes on, unless it is made alone."""
    return connection.dialect.name == "postgresql"
