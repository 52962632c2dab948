"""What the API answers, held against what its document says."""

from __future__ import annotations

import json
from typing import Any

import httpx
from pydantic import BaseModel


def is_as(model: type[BaseModel], value: Any) -> bool:
    """Whether `value` is what the document says of `model`; raises where it is not."""
    model.model_validate_json(json.dumps(value), extra=None if model.model_config.get("extra") == "allow" else "forbid")
    return True


async def events_of(answer: httpx.Response, count: int) -> list[dict[str, str]]:
    """The next `count` events of a stream, but for those that say that it goes on."""
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line and event:
            if event["event"] != "alive":
                found.append(event)
            event = {}
            if len(found) == count:
                break
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
    return found
