"""From a command to the store: opened, used and closed again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from flowsource.runner.lifesigns import while_burying
from flowsource.settings import Settings
from flowsource.store import open_store
from flowsource.store.protocol import Store

T = TypeVar("T")


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` returns for the store that the environment names.

    What it sees of runs is true: those whose server died on this host are told as crashed.
    """

    async def use() -> T:
        settings = Settings.load()
        async with open_store(settings.store) as store:
            return await while_burying(store, settings.signs, lambda: work(store))

    return anyio.run(use)
