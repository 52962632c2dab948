"""The memory: deployments, schedules, runs and their logs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowsource.settings import store_file

if TYPE_CHECKING:
    from flowsource.store.protocol import Store


def open_store(url: str) -> Store:
    """The store at `url`, to be opened with `async with`; raises InvalidSettings for what is no address of a store.

    See `flowsource.settings.store_file` for the addresses.
    """
    file = store_file(url)
    # Here and not above: SQLAlchemy takes some hundred milliseconds to import.
    from flowsource.store.doorbell import Doorbell
    from flowsource.store.sql import SqlStore
    from flowsource.store.sqlite import SqliteDatabase

    return SqlStore(partial(SqliteDatabase, file), Doorbell(file.with_name(f"{file.name}.bells")))
