"""When a deployment wants to run: pure functions of time, in UTC-aware instants."""

from __future__ import annotations

from flowsource.schedules.crons import Cron
from flowsource.schedules.firing import due, last_due, upcoming, wait_of
from flowsource.schedules.intervals import Interval
from flowsource.schedules.keeping import Schedule, content_key, schedule_from_json
from flowsource.schedules.options import Catchup
from flowsource.schedules.rrules import RRule

__all__ = [
    "Catchup",
    "Cron",
    "Interval",
    "RRule",
    "Schedule",
    "content_key",
    "due",
    "last_due",
    "schedule_from_json",
    "upcoming",
    "wait_of",
]
