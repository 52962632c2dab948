"""What a run's process says of a flow that is called inside it, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flowsource.runs import Failure, RunState
from flowsource.store.values import NestedRun


def nested_from(message: Mapping[str, Any]) -> NestedRun:
    """The nested run of a message; raises ValueError, KeyError or TypeError for what is none."""
    ended_at, failure = message["ended_at"], message["failure"]
    return NestedRun(
        id=UUID(message["id"]),
        name=str(message["name"]),
        flow=str(message["flow"]),
        state=RunState(message["state"]),
        started_at=_instant(message["started_at"]),
        ended_at=_instant(ended_at) if ended_at is not None else None,
        parameters=dict(message["parameters"]),
        failure=Failure(**failure) if failure is not None else None,
    )


def _instant(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError):
        raise ValueError(f"{seconds!r} is no instant") from None
