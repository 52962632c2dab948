"""Work in a thread that ends when the task which waits for it is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import from_thread, to_thread

_Result = TypeVar("_Result")

# Called between two pieces of work; it raises to end it.
Checkpoint = Callable[[], None]


class Abandoned(BaseException):
    """Nobody waits for the work any more. No Exception, so that nothing takes it for an answer of a server."""


async def in_thread(work: Callable[[Checkpoint], _Result], *, leave: bool) -> _Result:
    """What `work` returns, which is run in a thread and calls the checkpoint it is given often.

    A cancelled task waits until the thread has come to its next checkpoint, or with `leave` lets it do so alone.
    """
    left = threading.Event()

    def checkpoint() -> None:
        if left.is_set():
            raise Abandoned
        from_thread.check_cancelled()

    try:
        return await to_thread.run_sync(partial(work, checkpoint), abandon_on_cancel=leave)
    finally:
        left.set()
