"""From a command to the store: opened, used and closed again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from flowsource.settings import Settings
from flowsource.store import open_store
from flowsource.store.protocol import Store

T = TypeVar("T")


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` returns for the store that the environment names."""

    async def use() -> T:
        async with open_store(Settings.load().store) as store:
            return await work(store)

    return anyio.run(use)
