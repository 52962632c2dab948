"""What a run's process says of an event that it tells, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flowsource.events import NewEvent, new_event


def event_from(message: Mapping[str, Any], run_id: UUID, *, ahead: timedelta = timedelta(0)) -> NewEvent:
    """The event of a message of that run, by the clock of the store, which is so much `ahead` of that of this machine.

    Raises ValueError, KeyError or TypeError for what is none.
    """
    at = datetime.fromisoformat(message["at"])
    if at.utcoffset() is None:
        raise ValueError(f"{at} is no instant")
    return new_event(
        message["name"],
        message["payload"],
        resource=message["resource"],
        related=message["related"],
        at=at.astimezone(UTC) + ahead,
        event_id=UUID(message["id"]),
        run_id=run_id,
    )
