"""The memory: deployments, schedules, runs and their logs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowsource.addresses import kind_of, postgres_address, server_url, store_file
from flowsource.errors import InvalidSettings
from flowsource.server_access import ServerAccess

if TYPE_CHECKING:
    from flowsource.store.protocol import Store


def open_store(address: str) -> Store:
    """The store at `address`, to be opened with `async with`; raises InvalidSettings for what is no address of a store.

    See `flowsource.addresses` for the addresses.
    """
    match kind_of(address):
        case "sqlite":
            return _in_file(address)
        case "postgresql":
            return _in_postgres(address)
        case "server":
            return _behind_server(address)


# What each takes is imported there and not above: SQLAlchemy takes some hundred milliseconds, and httpx too.
def _in_file(address: str) -> Store:
    file = store_file(address)
    from flowsource.store.doorbell import Doorbell
    from flowsource.store.sql import SqlStore
    from flowsource.store.sqlite import SqliteDatabase

    return SqlStore(partial(SqliteDatabase, file), Doorbell(file.with_name(f"{file.name}.bells")))


def _in_postgres(address: str) -> Store:
    address = postgres_address(address)
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


def _behind_server(address: str) -> Store:
    from flowsource.store.http.client import open_http_store

    return open_http_store(server_url(address, allow_http=ServerAccess().allows_http))
