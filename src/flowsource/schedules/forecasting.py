"""What a schedule will do: computed, never kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flowsource.schedules.firing import upcoming
from flowsource.schedules.keeping import Schedule
from flowsource.schedules.zones import zone_named


@dataclass(frozen=True, slots=True)
class Coming:
    """An instant at which a schedule will want a run, on the clock of its zone.

    `clock_set_by` is by how much that clock is set, forward or back, between the one before (or now) and this.
    """

    at: datetime
    clock_set_by: timedelta


def coming(schedule: Schedule, *, now: datetime, count: int) -> list[Coming]:
    """The next `count` instants of `schedule` later than `now`; fewer where it ends before.

    >>> from datetime import UTC
    >>> from flowsource.schedules import Cron
    >>> autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    >>> [str(one.clock_set_by) for one in coming(Cron("0 9 * * *", "Europe/Berlin"), now=autumn, count=2)]
    ['-1 day, 23:00:00', '0:00:00']
    """
    zone = zone_named(schedule.timezone)
    found, before = [], now.astimezone(zone).utcoffset()
    for instant in upcoming(schedule, now=now, count=count):
        at = instant.astimezone(zone)
        offset = at.utcoffset()
        assert before is not None, "it is in a zone"
        assert offset is not None, "it is in a zone"
        found.append(Coming(at, offset - before))
        before = offset
    return found
