"""The database: each change one transaction, beside those of others, carried out once also where an answer is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, TextClause, create_engine, text
from sqlalchemy.exc import DBAPIError

from flowsource.addresses import postgres_address, shown
from flowsource.errors import StoreError, StoreUnavailable
from flowsource.store import schema
from flowsource.store.clock import Clock
from flowsource.store.postgres import marks
from flowsource.store.postgres.connecting import PATIENCE, as_store_error, connect, state_of
from flowsource.store.postgres.marks import Mark
from flowsource.store.postgres.watchdog import Watchdog
from flowsource.store.schema import Lineage

T = TypeVar("T")

_AT_ONCE = 4
# Longer than the server allows any statement: this is for a server that says nothing at all.
_CUT_AFTER = PATIENCE + timedelta(seconds=10)
# Could not be put in an order with others, or waited in a circle with them.
_AGAIN = frozenset({"40001", "40P01"})
_TRIES = 8
# Held by each change: shared, or alone by one that decides by what many rows say.
LOCK = 0x666C6F77
_TIME = "clock_timestamp()"
_BEGIN = {
    alone: text(f"SELECT {_TIME}, pg_advisory_xact_lock{'' if alone else '_shared'}({LOCK})") for alone in (False, True)
}

# Tables with many rows take as long as they take.
_TAKE_TIME = text(
    "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '600000', true), "
    "set_config('idle_in_transaction_session_timeout', '0', true)"
)


class _NothingDone(Exception):
    """The connection turned out to be none, or ended before a commit was asked for."""


class _Unanswered(Exception):
    """The connection ended after a commit was asked for, and before it was answered."""

    def __init__(self, mark: Mark, answer: Any) -> None:
        super().__init__()
        self.mark, self.answer = mark, answer


class PostgresDatabase:
    """The database at `address`, with tables made where there are none. Its methods block: call them from threads.

    Each change holds the same lock for as long as it goes on: shared, so that changes go on side by side, or alone.
    Those that share it hold against each other by the locks and keys of single rows.
    """

    readers = _AT_ONCE
    writers = _AT_ONCE

    def __init__(self, address: str, lineage: Lineage = Lineage()) -> None:
        """Bring the tables up to the newest of `lineage`.

        Raises StoreUnavailable, StoreVersionMismatch, StoreError, or InvalidSettings for the address.
        """
        self._address = postgres_address(address)
        self.lineage = lineage
        self._watchdog = Watchdog()
        self._clock = Clock()
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            # The text of an error never holds the values of a statement: parameters of runs may be secret.
            hide_parameters=True,
            pool_size=self.readers + self.writers,
            max_overflow=0,
            pool_timeout=PATIENCE.total_seconds(),
            pool_use_lifo=True,
            use_native_hstore=False,
        )
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        self._watchdog.close()

    def now(self) -> datetime:
        """The time by the clock of the server, as each change brings it along."""
        return self._clock.now()

    def read(self, ask: Callable[[Connection], T]) -> T:
        """What `ask` returns, each of its statements seeing the last commit."""

        def once() -> T:
            with self._reading.connect() as connection, self._watched(connection):
                try:
                    return ask(connection)
                except DBAPIError as error:
                    if error.connection_invalidated:
                        raise _NothingDone from error
                    raise

        return self._persistently(once)

    def write(self, change: Callable[[Connection], T], *, durable: bool, alone: bool = False) -> T:
        """What `change` returns, once its writes are committed: all of them, or none when it raises.

        All are on the disk then: what PostgreSQL commits in any lesser way is lost when it crashes, and that is to
        happen at most when its machine stops.
        """

        def once() -> T:
            with self._engine.connect() as connection, self._watched(connection):
                try:
                    self._hear_time(connection, _BEGIN[alone])
                    answer = change(connection)
                    # Nobody asks whether a change was carried out that may be lost.
                    mark = marks.leave(connection) if durable else None
                except DBAPIError as error:
                    if error.connection_invalidated:
                        raise _NothingDone from error
                    raise
                try:
                    connection.commit()
                except DBAPIError as error:
                    if error.connection_invalidated and mark is not None:
                        raise _Unanswered(mark, answer) from error
                    raise
                return answer

        return self._persistently(once)

    def _persistently(self, once: Callable[[], T]) -> T:
        """What `once` returns, tried again where that can help at once and is known to repeat nothing."""
        deadline = time.monotonic() + PATIENCE.total_seconds()
        is_fresh = False
        tries = 0
        while True:
            tries += 1
            try:
                return once()
            except _NothingDone as error:
                # The server was started anew since the connection was used last, and all others are as old; or it ended
                # this one alone, because we stood still in the middle for too long, as this whole process may.
                if is_fresh:
                    raise as_store_error(error.__cause__ or error, self._address) from None
                is_fresh = True
            except _Unanswered as lost:
                if self._was_carried_out(lost, deadline):
                    answer: T = lost.answer
                    return answer
            except DBAPIError as error:
                if state_of(error) not in _AGAIN or tries == _TRIES:
                    raise as_store_error(error, self._address) from None
                time.sleep(random.uniform(0, 0.005 * 2**tries))

    def _was_carried_out(self, lost: _Unanswered, deadline: float) -> bool:
        """Whether a change is there of which it was not told; asks until the server can say."""
        while time.monotonic() < deadline:
            try:
                return self.read(lambda connection: marks.was_left(connection, lost.mark))
            except StoreUnavailable:
                time.sleep(random.uniform(0.1, 0.3))
        raise StoreUnavailable(
            f"{shown(self._address)}: the database went away while it was written to, and whether it was is not known. "
            "Look whether PostgreSQL runs there, and at what is there then."
        )

    def downgrade(self, to: str) -> None:
        """Bring the tables back to the revision `to`, for an older flowsource; raises StoreVersionMismatch."""
        self._migrate(to)

    def _open(self) -> None:
        self.read(lambda connection: self._hear_time(connection, text(f"SELECT {_TIME}")))
        if self.read(schema.revision_of) != self.lineage.newest:
            self._migrate(self.lineage.newest)

    def _migrate(self, to: str) -> None:
        try:
            while self._take_step(to):
                pass
        except DBAPIError as error:
            raise as_store_error(error, self._address) from None

    def _take_step(self, to: str) -> bool:
        """Come one revision closer to `to`, in one transaction; whether there may be more to go."""
        where = shown(self._address)
        with self._engine.begin() as connection:
            connection.execute(_TAKE_TIME)
            # Several that start at once take turns, and all but the first find it done.
            connection.execute(_BEGIN[True])
            at = schema.revision_of(connection)
            if at is None:
                _require_utf8(connection, where)
                schema.make(connection, self.lineage.newest, marks.metadata, where=where)
                return True
            following = self.lineage.step(at, to=to, where=where)
            if following is None:
                return False
            # Here and not above: few who open a store have anything to migrate.
            from flowsource.store.migrating import take_step

            take_step(connection, self.lineage, at, following)
            return True

    def _hear_time(self, connection: Connection, statement: TextClause) -> None:
        asked_at = datetime.now(UTC)
        self._clock.hear(connection.execute(statement).scalar_one(), asked_at=asked_at)

    def _connect(self) -> psycopg.Connection[Any]:
        connection = connect(self._address, self._watchdog)
        connection.autocommit = False
        return connection

    @contextmanager
    def _watched(self, connection: Connection) -> Iterator[None]:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, psycopg.Connection)
        with self._watchdog.over(raw.fileno(), _CUT_AFTER):
            yield


def _require_utf8(connection: Connection, where: str) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise StoreError(f"{where}: the database keeps text as {encoding}. Make one with ENCODING 'UTF8'.")
