"""A run that is asked for with `run_deployment`, as a value, and as what a run's process says to its server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsked:
    """What is asked for; see `run_deployment` for what each means. `timeout` is in seconds."""

    name: str
    parameters: Mapping[str, Any]
    scheduled_time: datetime | None
    timeout: float | None
    tags: tuple[str, ...]
    idempotency_key: str | None
    run_name: str | None
    as_subflow: bool

    def to_message(self) -> dict[str, Any]:
        """A message from which `asked_from` makes an equal one, where the parameters are JSON."""
        at = self.scheduled_time
        return {**asdict(self), "scheduled_time": at.isoformat() if at is not None else None}


def asked_from(message: Mapping[str, Any]) -> RunAsked:
    """What a message asks for; raises ValueError or TypeError where it is none."""
    said = {**message, "tags": tuple(message.get("tags", ()))}
    if said.get("scheduled_time") is not None:
        said["scheduled_time"] = datetime.fromisoformat(said["scheduled_time"])
        if said["scheduled_time"].utcoffset() is None:
            raise ValueError("scheduled_time: it is no instant")
    asked = RunAsked(**said)
    texts = (asked.name, *asked.tags, asked.idempotency_key or "", asked.run_name or "")
    is_time = asked.timeout is None or type(asked.timeout) in (int, float)
    if not is_time or type(asked.as_subflow) is not bool or not all(type(text) is str for text in texts):
        raise TypeError("a field is of another type")
    return asked
