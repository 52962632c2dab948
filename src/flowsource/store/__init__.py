"""The memory: deployments, schedules, runs and their logs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowsource.addresses import kind_of, postgres_address, store_file
from flowsource.errors import InvalidSettings

if TYPE_CHECKING:
    from flowsource.store.protocol import Store


def open_store(url: str) -> Store:
    """The store at `url`, to be opened with `async with`; raises InvalidSettings for what is no address of a store.

    See `flowsource.addresses` for the addresses.
    """
    return _in_file(url) if kind_of(url) == "sqlite" else _in_postgres(url)


# Imported here and not above: SQLAlchemy takes some hundred milliseconds, and few need both databases.
def _in_file(url: str) -> Store:
    file = store_file(url)
    from flowsource.store.doorbell import Doorbell
    from flowsource.store.sql import SqlStore
    from flowsource.store.sqlite import SqliteDatabase

    return SqlStore(partial(SqliteDatabase, file), Doorbell(file.with_name(f"{file.name}.bells")))


def _in_postgres(url: str) -> Store:
    address = postgres_address(url)
    try:
        import psycopg  # noqa: F401 - whether it is there, before anything else is said
    except ImportError:
        raise InvalidSettings(
            "a store at postgresql:// needs a package that is not installed: pip install 'flowsource[postgres]'."
        ) from None
    from flowsource.store.postgres.database import PostgresDatabase
    from flowsource.store.postgres.doorbell import PostgresDoorbell
    from flowsource.store.postgres.watchdog import Watchdog
    from flowsource.store.sql import SqlStore

    watchdog = Watchdog()
    return SqlStore(partial(PostgresDatabase, address, watchdog), PostgresDoorbell(address, watchdog))
