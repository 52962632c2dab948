"""Ending work in a thread when the task that waits for it is cancelled."""

from __future__ import annotations

from collections.abc import Callable

from anyio import from_thread

# Called between two pieces of work; it raises to end it.
Checkpoint = Callable[[], None]


def unless_cancelled() -> None:
    """Return, or raise if the task that started this worker thread was cancelled."""
    from_thread.check_cancelled()
