"""Schedules as they are kept: as JSON, under a key that names the same one again."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flowsource.schedules.crons import Cron, cron_fields
from flowsource.schedules.intervals import Interval, interval_fields
from flowsource.schedules.options import options_from_json
from flowsource.schedules.rrules import RRule, rrule_fields

Schedule = Interval | Cron | RRule

_FIELDS: dict[str, tuple[type[Interval | Cron | RRule], Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "interval": (Interval, interval_fields),
    "cron": (Cron, cron_fields),
    "rrule": (RRule, rrule_fields),
}


def schedule_from_json(data: dict[str, Any]) -> Schedule:
    """The schedule that `to_json` described, whatever the clock says by now; raises KeyError for anything else."""
    kind, fields = _FIELDS[data["kind"]]
    return kind.as_stored({**fields(data), **options_from_json(data)})


def content_key(schedule: Schedule) -> str:
    """Names a schedule by its slug, else by what it says, so that the same one declared again is the same one."""
    if schedule.slug is not None:
        return sha256(f"slug {schedule.slug}".encode()).hexdigest()[:16]
    said = schedule.content
    if schedule.parameters:
        said += f" with {json.dumps(schedule.parameters, sort_keys=True)}"
    return sha256(said.encode()).hexdigest()[:16]
