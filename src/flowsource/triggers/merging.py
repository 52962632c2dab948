"""A trigger that code declares again, and that people changed meanwhile."""

from __future__ import annotations

from dataclasses import fields, replace

from flowsource.merging import merged_parts
from flowsource.triggers.keeping import trigger_from_json, trigger_to_json
from flowsource.triggers.options import TriggerOptions
from flowsource.triggers.values import Trigger

_OPTIONS = frozenset(field.name for field in fields(TriggerOptions))


def merge_trigger(before: Trigger | None, live: Trigger, declared: Trigger) -> Trigger:
    """What holds of a trigger that the code said to be `before`, says to be `declared` now, and that is `live`.

    What it waits for is one thing, and each of its options another. Where `before` is None a person had added it: then
    all is as declared, but one that a person holds stays held.
    """
    if before is None:
        return declared if live.enabled else replace(declared, enabled=False)
    parts = (trigger_to_json(trigger) for trigger in (before, live, declared))
    return trigger_from_json(merged_parts(*parts, options=_OPTIONS))
