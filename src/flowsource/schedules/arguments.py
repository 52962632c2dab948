"""Schedules as they are asked for by keyword."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from flowsource.errors import InvalidSchedule
from flowsource.schedules.crons import Cron
from flowsource.schedules.intervals import Interval
from flowsource.schedules.keeping import Schedule, content_key
from flowsource.schedules.rrules import RRule


def schedules_from_arguments(
    *,
    interval: float | timedelta | Iterable[float | timedelta] | None = None,
    cron: str | Iterable[str] | None = None,
    rrule: str | Iterable[str] | None = None,
    schedule: Schedule | None = None,
    schedules: Iterable[Schedule] | None = None,
) -> tuple[Schedule, ...]:
    """The schedules that were asked for by one of these keywords; raises InvalidSchedule naming what cannot be used."""
    given = {"interval": interval, "cron": cron, "rrule": rrule, "schedule": schedule, "schedules": schedules}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InvalidSchedule(
            f"{', '.join(named)}: only one of these may be given; keep one, or list them all as schedules=[...]."
        )
    made: list[Schedule] = []
    for name in named:
        made = [_made(name, each) for each in _listed(given[name])]
    if len(set(map(content_key, made))) < len(made):
        raise InvalidSchedule(
            f"{named[0]}: the same schedule is given more than once; keep one of them, or give each a slug."
        )
    return tuple(made)


def _made(name: str, each: Any) -> Schedule:
    if name == "interval":
        return Interval(each)
    if name == "cron":
        return Cron(each)
    if name == "rrule":
        return RRule(each)
    if not isinstance(each, Interval | Cron | RRule):
        raise InvalidSchedule(
            f"{name}: {each!r} is not a schedule; give Cron('0 2 * * *', 'Europe/Berlin'), an Interval or an RRule, "
            "or say cron='0 2 * * *'."
        )
    return each


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else [given]
