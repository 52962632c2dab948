"""The memory: deployments, schedules, runs and their logs."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from flowsource.addresses import kind_of, postgres_address, store_file
from flowsource.errors import InvalidSettings

if TYPE_CHECKING:
    from flowsource.store.database import Database
    from flowsource.store.protocol import Store


def open_store(url: str) -> Store:
    """The store at `url`, to be opened with `async with`; raises InvalidSettings for what is no address of a store.

    See `flowsource.addresses` for the addresses.
    """
    # Here and not above, as below: SQLAlchemy takes some hundred milliseconds to import.
    from flowsource.store.sql import SqlStore

    if kind_of(url) == "sqlite":
        from flowsource.store.doorbell import Doorbell

        file = store_file(url)
        return SqlStore(partial(open_database, url), Doorbell(file.with_name(f"{file.name}.bells")))
    address = _with_driver(url)
    from flowsource.store.postgres.doorbell import PostgresDoorbell

    return SqlStore(partial(open_database, url), PostgresDoorbell(address))


def open_database(url: str) -> Database:
    """The database of the store at `url`, with its tables up to date. It blocks; whoever opens it closes it.

    Raises InvalidSettings, StoreUnavailable, StoreVersionMismatch or StoreError.
    """
    if kind_of(url) == "sqlite":
        from flowsource.store.sqlite import SqliteDatabase

        return SqliteDatabase(store_file(url))
    address = _with_driver(url)
    from flowsource.store.postgres.database import PostgresDatabase

    return PostgresDatabase(address)


def _with_driver(url: str) -> str:
    """The address as the driver takes it, once it is known that there is one."""
    if find_spec("psycopg") is None:
        raise InvalidSettings(
            "a store at postgresql:// needs a package that is not installed: pip install 'flowsource[postgres]'."
        )
    return postgres_address(url)
