"""What a run's process says of an event that it tells, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flowsource.events import NewEvent, new_event


def event_from(message: Mapping[str, Any], run_id: UUID) -> NewEvent:
    """The event of a message of that run; raises ValueError, KeyError or TypeError for what is none."""
    at = datetime.fromisoformat(message["at"])
    if at.utcoffset() is None:
        raise ValueError(f"{at} is no instant")
    return new_event(
        message["name"],
        message["payload"],
        resource=message["resource"],
        related=message["related"],
        at=at.astimezone(UTC),
        event_id=UUID(message["id"]),
        run_id=run_id,
    )
