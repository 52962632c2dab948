"""A schedule that code declares again, and that people changed meanwhile."""

from __future__ import annotations

from dataclasses import fields

from flowsource.merging import merged_parts
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
    parts = (schedule.to_json() for schedule in (before, live, declared))
    return schedule_from_json(merged_parts(*parts, options=_OPTIONS))
