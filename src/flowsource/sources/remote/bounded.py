"""Doing one thing to many, a few at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

_Item = TypeVar("_Item")


async def for_each(items: Iterable[_Item], work: Callable[[_Item], Awaitable[None]], *, at_once: int) -> None:
    """Do `work` with each of `items`, at most so many `at_once`. The first failure ends them all, and is raised."""
    waiting = iter(items)
    failures: list[Exception] = []

    async def worker() -> None:
        for item in waiting:
            try:
                await work(item)
            except Exception as error:
                # Whatever it is, it is raised below, and not inside a group of exceptions as the task group would.
                failures.append(error)
                tasks.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(worker)
    if failures:
        raise failures[0]
