"""The memory: deployments, schedules, runs and their logs."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from flowsource.addresses import kind_of, postgres_address, server_url, store_file
from flowsource.errors import InvalidSettings
from flowsource.server_access import ServerAccess

if TYPE_CHECKING:
    from flowsource.store.database import Database
    from flowsource.store.protocol import Store

# What each kind takes is imported where it is opened: SQLAlchemy takes some hundred milliseconds, and httpx too.


def open_store(address: str) -> Store:
    """The store at `address`, to be opened with `async with`; raises InvalidSettings for what is no address of a store.

    See `flowsource.addresses` for the addresses.
    """
    if kind_of(address) == "server":
        from flowsource.store.http.client import open_http_store

        return open_http_store(server_url(address, allow_http=ServerAccess().allows_http))

    from flowsource.store.sql import SqlStore

    if kind_of(address) == "sqlite":
        from flowsource.store.doorbell import Doorbell

        file = store_file(address)
        return SqlStore(partial(open_database, address), Doorbell(file.with_name(f"{file.name}.bells")))
    for_driver = _with_driver(address)
    from flowsource.store.postgres.doorbell import PostgresDoorbell

    return SqlStore(partial(open_database, address), PostgresDoorbell(for_driver))


def open_database(address: str) -> Database:
    """The database of the store at `address`, with its tables up to date. It blocks; whoever opens it closes it.

    Raises InvalidSettings, StoreUnavailable, StoreVersionMismatch or StoreError.
    """
    if kind_of(address) == "sqlite":
        from flowsource.store.sqlite import SqliteDatabase

        return SqliteDatabase(store_file(address))
    if kind_of(address) == "server":
        raise InvalidSettings("the database of a server is seen from that server alone; ask there.")
    for_driver = _with_driver(address)
    from flowsource.store.postgres.database import PostgresDatabase

    return PostgresDatabase(for_driver)


def _with_driver(address: str) -> str:
    """The address as the driver takes it, once it is known that there is one."""
    if find_spec("psycopg") is None:
        raise InvalidSettings(
            "a store at postgresql:// needs a package that is not installed: pip install 'flowsource[postgres]'."
        )
    return postgres_address(address)
