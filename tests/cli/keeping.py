"""A store at the command line's home that nobody serves, for tests to write into what a server would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.cli.calling import CommandLine
from tests.store.words import Server, registration, serve

T = TypeVar("T")


def keep(alone: CommandLine, work: Callable[[Server], Awaitable[T]], **said: Any) -> T:
    """What `work` returns for a server of `etl/nightly`, which writes to the store and executes nothing.

    Whatever else is `said` is declared of that deployment.
    """

    async def use() -> T:
        async with opened(alone) as store:
            return await work(await serve(store, registration(**said)))

    return anyio.run(use)


def opened(alone: CommandLine) -> Store:
    """The store of that home, to be opened as a context."""
    return open_store(f"sqlite:///{alone.home}/flowsource.db")
