"""Events that a run tells: said to its runner, so that its process needs no store."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flowsource.events import NewEvent

_send: Callable[[dict[str, Any]], None] | None = None
_owner = 0


def tell_by(send: Callable[[dict[str, Any]], None]) -> None:
    """Have what this process tells sent to its runner."""
    global _send, _owner
    _send, _owner = send, os.getpid()


def tell_runner(event: NewEvent) -> bool:
    """Tell `event`, if there is a runner that listens; to the processes that a flow forks none does."""
    if _send is None or os.getpid() != _owner:
        return False
    _send(
        {
            "type": "event",
            "id": str(event.id),
            "at": event.at.isoformat(),
            "name": event.name,
            "resource": dict(event.resource),
            "related": [dict(labels) for labels in event.related],
            "payload": dict(event.payload),
        }
    )
    return True
