"""The memory: deployments, schedules, runs and their logs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flowsource.errors import InvalidSettings

if TYPE_CHECKING:
    from flowsource.store.protocol import Store

_SQLITE = "sqlite:///"


def open_store(url: str) -> Store:
    """The store at `url`, to be opened with `async with`; raises InvalidSettings for what is no address of a store.

    `sqlite:///PATH` is a SQLite file, relative to the working directory unless PATH begins with a slash.
    """
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        # Only its kind: the rest of an address may hold a password.
        raise InvalidSettings(f"{url.split(':', 1)[0]!r} is not a store. Give sqlite:///PATH.")
    # Here and not above: SQLAlchemy takes some hundred milliseconds to import.
    from flowsource.store.doorbell import Doorbell
    from flowsource.store.sql import SqlStore
    from flowsource.store.sqlite import SqliteDatabase

    file = Path(path).absolute()
    return SqlStore(partial(SqliteDatabase, file), Doorbell(file.with_name(f"{file.name}.bells")))
