"""A schedule that code declares again, and that people changed meanwhile."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from flowsource.merging import merged
from flowsource.schedules.keeping import Schedule, schedule_from_json
from flowsource.schedules.options import ScheduleOptions

_OPTIONS = frozenset(field.name for field in fields(ScheduleOptions))


def merge_schedule(before: Schedule | None, live: Schedule, declared: Schedule) -> Schedule:
    """What holds of a schedule that the code said to be `before`, says to be `declared` now, and that is `live`.

    When it fires is one thing, and each of its options another. Where `before` is None a person had added it: then all
    is as declared, but one that a person holds stays held.
    """
    if before is None:
        held = {} if live.active else {"active": False}
        return schedule_from_json({**declared.to_json(), **held})
    parts = [_parts(schedule) for schedule in (before, live, declared)]
    when = merged(*(when for when, _ in parts))
    options = {name: merged(*(said.get(name) for _, said in parts)) for name in _OPTIONS}
    return schedule_from_json({**when, **{name: value for name, value in options.items() if value is not None}})


def _parts(schedule: Schedule) -> tuple[dict[str, Any], dict[str, Any]]:
    """When it fires, and its options, as JSON."""
    said = schedule.to_json()
    options = {name: said.pop(name) for name in _OPTIONS & said.keys()}
    return said, options
