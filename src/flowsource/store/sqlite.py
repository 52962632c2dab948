"""A SQLite file that several processes of one host read and write at the same time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from flowsource.errors import StoreError, StoreUnavailable, StoreVersionMismatch
from flowsource.store import schema
from flowsource.store.lock import WriteLock
from flowsource.store.schema import Lineage
from flowsource.store.tables import SCHEMA_VERSION

T = TypeVar("T")

PATIENCE = timedelta(seconds=30)
_CHECKPOINT_AT = 1000 * 4096  # bytes of write-ahead log: 1000 pages, as SQLite itself would do
_NEEDS_A_PERSON = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})


class SqliteDatabase:
    """The database in one file, made when it is not there. Its methods block: call them from worker threads.

    Every write and every checkpoint of every process is made under one lock, and readers never wait. So no writer
    meets a locked database, and the race in which SQLite before 3.51.3 can lose commits cannot happen: it needs a
    write beside a checkpoint. For the same reason connections are only closed under the lock, because SQLite makes a
    checkpoint when the last one goes.
    """

    readers = 4
    writers = 1

    def __init__(self, path: Path, lineage: Lineage = Lineage()) -> None:
        """Open the file at `path` for this user alone, and bring its tables up to the newest of `lineage`.

        Raises StoreUnavailable, StoreVersionMismatch, or StoreError for a file that is something else.
        """
        self.path = path
        self.lineage = lineage
        self._wal = path.with_name(path.name + "-wal")
        self._checkpoint_at = _CHECKPOINT_AT
        self._synchronous = ""
        self._readers = _engine(path, isolation_level="AUTOCOMMIT", pool_size=self.readers)
        event.listen(self._readers, "connect", _read_only)
        self._writing = _engine(path, pool_size=1)
        event.listen(self._writing, "begin", _begin_immediate)
        self._lock = _make_files(path)
        try:
            with self._lock.held(), self._clear_errors():
                self._connect()
        except BaseException:
            self._lock.close()
            raise

    def downgrade(self, to: str) -> None:
        """Bring the tables back to the revision `to`, for an older flowsource; raises StoreVersionMismatch."""
        with self._lock.held(), self._clear_errors():
            self._migrate(to)

    def close(self) -> None:
        """Close every connection; the last one of all processes leaves nothing but the main file behind."""
        try:
            with self._lock.held():
                self._disconnect()
        except StoreUnavailable:
            # Whoever holds the lock has the file open: ours is not the last connection, and closing it writes nothing.
            self._disconnect()
        self._lock.close()

    def now(self) -> datetime:
        """The time by its clock, which is ours: a file is on this machine."""
        return datetime.now(UTC)

    def read(self, ask: Callable[[Connection], T]) -> T:
        """What `ask` returns, each of its statements seeing the last commit."""
        with self._clear_errors(), self._readers.connect() as connection:
            return ask(connection)

    def write(self, change: Callable[[Connection], T], *, durable: bool, alone: bool = True) -> T:
        """What `change` returns, once its writes are committed: all of them, or none when it raises.

        See `flowsource.store.database.Database`. Here each is made alone.
        """
        with self._lock.held(), self._clear_errors():
            # It cannot be set inside a transaction.
            self._synchronise("FULL" if durable else "NORMAL")
            with self._writer.begin():
                answer = change(self._writer)
            if self._wal_size() > self._checkpoint_at:
                self._checkpoint()
            return answer

    def _connect(self) -> None:
        self._writer = self._writing.connect()
        try:
            self._pragma("journal_mode=WAL")
            self._pragma("wal_autocheckpoint=0")
            self._make_tables()
        except BaseException:
            self._disconnect()
            raise

    def _make_tables(self) -> None:
        self._synchronise("FULL")
        with self._writer.begin():
            version: int = self._pragma("user_version")
            if version not in (0, SCHEMA_VERSION):
                raise StoreVersionMismatch(
                    f"{self.path} is of version {version}; this flowsource knows version {SCHEMA_VERSION}. "
                    "Use the flowsource that wrote it, or name another file in FLOWSOURCE_STORE."
                )
            if version == 0:
                schema.make(self._writer, self.lineage.newest, where=str(self.path))
                self._pragma(f"user_version={SCHEMA_VERSION}")
            elif schema.revision_of(self._writer) is None:
                # Made before revisions were kept, and so at the first of them.
                schema.stamp(self._writer, self.lineage.revisions[0])
        self._migrate(self.lineage.newest)

    def _migrate(self, to: str) -> None:
        while self._take_step(to):
            pass

    def _take_step(self, to: str) -> bool:
        """Come one revision closer to `to`, in one transaction; whether there was one to go."""
        at = schema.revision_of(self._writer)
        self._writer.rollback()
        assert at is not None
        following = self.lineage.step(at, to=to, where=str(self.path))
        if following is None:
            return False
        # Here and not above: few who open a store have anything to migrate.
        from flowsource.store.migrating import take_step

        # A table that is copied to be altered is dropped in between, and what refers to it must not go with it. It
        # cannot be set inside a transaction.
        self._pragma("foreign_keys=OFF")
        try:
            with self._writer.begin():
                take_step(self._writer, self.lineage, at, following)
                if self._pragma("foreign_key_check") is not None:
                    raise StoreError(
                        f"{self.path}: a row refers to one that is not there, and version {following} of the tables "
                        "cannot have that. Nothing was changed; look with `PRAGMA foreign_key_check`."
                    )
        finally:
            self._pragma("foreign_keys=ON")
        return True

    def _checkpoint(self) -> None:
        """Bring the write-ahead log into the main file; where that fails nothing is lost, and it is tried again."""
        # A reader in the middle of an answer keeps the log from being emptied, and is not waited for any longer.
        with suppress(sqlite3.Error):
            self._pragma("busy_timeout=100")
            self._pragma("wal_checkpoint(TRUNCATE)")
        self._pragma(f"busy_timeout={PATIENCE // timedelta(milliseconds=1)}")
        self._checkpoint_at = self._wal_size() + _CHECKPOINT_AT

    def _wal_size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _synchronise(self, level: str) -> None:
        if level != self._synchronous:
            self._pragma(f"synchronous={level}")
            self._synchronous = level

    def _pragma(self, text: str) -> Any:
        # Past SQLAlchemy, which would begin a transaction first.
        connection = self._writer.connection.dbapi_connection
        assert isinstance(connection, sqlite3.Connection)
        row = connection.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    def _disconnect(self) -> None:
        self._readers.dispose()
        self._writer.close()
        self._writing.dispose()

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except (DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if getattr(cause, "sqlite_errorname", None) in _NEEDS_A_PERSON:
                raise StoreError(
                    f"{self.path} is not a database that can be read ({cause}). "
                    "Move it away, or name another file in FLOWSOURCE_STORE."
                ) from error
            raise StoreUnavailable(
                f"{self.path}: the database cannot be used ({cause}). "
                "Look whether the disk is full, and whether this user may write to the file and its directory."
            ) from error


def _make_files(path: Path) -> WriteLock:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its other files the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return WriteLock(path.with_name(path.name + ".lock"), patience=PATIENCE)
    except OSError as error:
        raise StoreUnavailable(
            f"{path}: the database cannot be opened or made ({error.strerror}). "
            "Give FLOWSOURCE_HOME or FLOWSOURCE_STORE a place that this user can write."
        ) from error


def _engine(path: Path, *, pool_size: int, **options: Any) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        # The text of an error never holds the values of a statement: parameters of runs may be secret.
        hide_parameters=True,
        pool_size=pool_size,
        # A connection that overflows would be closed when it is given back, and so without the lock.
        max_overflow=0,
        pool_reset_on_return=None,
        connect_args={"timeout": PATIENCE.total_seconds(), "isolation_level": None},
        **options,
    )
    event.listen(engine, "connect", _keep_references)
    return engine


def _keep_references(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def _read_only(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    # The right to write is taken at the beginning: a reader that becomes a writer half way may be refused.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
