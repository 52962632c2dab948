"""Triggers as they are kept: as JSON, under a key that names the same one again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from flowsource.triggers.options import options_from_json
from flowsource.triggers.values import CompoundTrigger, EventTrigger, SequenceTrigger, Trigger


def trigger_to_json(trigger: Trigger) -> dict[str, Any]:
    """A mapping of JSON values from which `trigger_from_json` makes an equal one."""
    return {**trigger.content_to_json(), **trigger.options_to_json()}


def trigger_from_json(data: Mapping[str, Any]) -> Trigger:
    """The trigger that `trigger_to_json` described; raises KeyError for anything else."""
    options: dict[str, Any] = options_from_json(data)
    within = timedelta(seconds=data["within"])
    if data["kind"] == "event":
        said = ("expect", "match", "match_related", "for_each", "after", "posture", "threshold")
        return EventTrigger(**{name: data[name] for name in said}, within=within, **options)
    inner = [trigger_from_json(each) for each in data["triggers"]]
    if data["kind"] == "compound":
        return CompoundTrigger(triggers=inner, require=data["require"], within=within, **options)
    return SequenceTrigger(triggers=inner, within=within, **options)


def trigger_key(trigger: Trigger) -> str:
    """Names a trigger by its name, else by all it says, so that the same one declared again is the same one."""
    if trigger.name is not None:
        return sha256(f"name {trigger.name}".encode()).hexdigest()[:16]
    said = {**trigger_to_json(trigger), "enabled": True}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
