"""The memory: deployments, schedules, runs and their logs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowsource.addresses import kind_of, server_url
from flowsource.server_access import ServerAccess
from flowsource.settings import store_file

if TYPE_CHECKING:
    from flowsource.store.protocol import Store


def open_store(address: str) -> Store:
    """The store at `address`, to be opened with `async with`; raises InvalidSettings for what is no address of a store.

    See `flowsource.addresses` for those there are.
    """
    # What each takes is imported here and not above: SQLAlchemy takes some hundred milliseconds, and httpx too.
    if kind_of(address) == "server":
        from flowsource.store.http.client import open_http_store

        return open_http_store(server_url(address, allow_http=ServerAccess().allows_http))

    file = store_file(address)
    from flowsource.store.doorbell import Doorbell
    from flowsource.store.sql import SqlStore
    from flowsource.store.sqlite import SqliteDatabase

    return SqlStore(partial(SqliteDatabase, file), Doorbell(file.with_name(f"{file.name}.bells")))
