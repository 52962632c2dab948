"""Schedules that fire every so often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flowsource.errors import InvalidSchedule
from flowsource.json_values import is_number
from flowsource.schedules.options import LONGEST, ScheduleOptions
from flowsource.schedules.zones import instant_of, wall_clock, zone_named

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Interval(ScheduleOptions):
    """Every so often: `every` is seconds or a timedelta, from a second to a hundred years.

    Counted from `anchor_date` (aware; kept in UTC), by default from when it is first registered; that survives
    restarts. An interval of whole days stays at the hour of the clock in `timezone` when that is set. The rest is as in
    `ScheduleOptions`. Raises InvalidSchedule for what cannot be used.
    """

    every: float | timedelta
    anchor_date: datetime | None = None
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", _checked(self.every))
        anchor = self.anchor_date
        if anchor is not None:
            if not isinstance(anchor, datetime) or anchor.utcoffset() is None:
                raise InvalidSchedule(f"interval: the anchor {anchor!r} is not an aware datetime; give one.")
            # Sums of instants in a zone are sums on its wall clock, which repeats an hour and skips another.
            object.__setattr__(self, "anchor_date", anchor.astimezone(UTC))
        if self.timezone is None:
            object.__setattr__(self, "timezone", "UTC")
        zone_named(self.timezone)
        self.check_options()

    @property
    def period(self) -> timedelta:
        """The time from one instant to the next."""
        return _checked(self.every)

    def anchored(self, now: datetime) -> Interval:
        """This one, counted from `now` unless it says from when."""
        return self if self.anchor_date is not None else replace(self, anchor_date=now)

    def next_after(self, moment: datetime) -> datetime:
        """The first instant of this schedule strictly later than `moment`; raises InvalidSchedule where the zone is
        unknown on this machine, ValueError for one that is not anchored."""
        if self.anchor_date is None:
            raise ValueError("an interval has instants once it is anchored")
        anchor, period = self.anchor_date, self.period
        if self.timezone == "UTC" or period % _DAY:
            return anchor + period * ((moment - anchor) // period + 1)
        zone = zone_named(self.timezone)
        first = wall_clock(anchor, zone)
        count = (wall_clock(moment, zone) - first) // period
        instants = (instant_of(first + period * (count + more), zone) for more in (0, 1, 2))
        return next(instant for instant in instants if instant > moment)

    def describe(self) -> str:
        """As a person would say it."""
        zone = f" in {self.timezone}" if self.timezone != "UTC" else ""
        seconds = self.period.total_seconds()
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            if seconds % size == 0:
                count = int(seconds // size)
                return f"every {unit}{zone}" if count == 1 else f"every {count} {unit}s{zone}"
        return f"every {seconds:g} seconds{zone}"

    @property
    def content(self) -> str:
        """What makes it another one; from when it is counted only where that was said."""
        anchor = f" from {self.anchor_date.isoformat()}" if self.anchor_date is not None else ""
        zone = f" in {self.timezone}" if self.timezone != "UTC" else ""
        return f"interval {self.period.total_seconds()}{anchor}{zone}"

    def to_json(self) -> dict[str, Any]:
        """A mapping from which `schedule_from_json` makes an equal schedule."""
        anchor = self.anchor_date.isoformat() if self.anchor_date is not None else None
        zone = {"timezone": self.timezone} if self.timezone != "UTC" else {}
        every = self.period.total_seconds()
        return {"kind": "interval", "every": every, "anchor": anchor, **zone, **self.options_to_json()}


def interval_fields(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of an interval that `to_json` described."""
    anchor = data["anchor"]
    return {
        "every": timedelta(seconds=data["every"]),
        "anchor_date": datetime.fromisoformat(anchor) if anchor is not None else None,
        "timezone": data.get("timezone", "UTC"),
    }


def _checked(every: object) -> timedelta:
    try:
        length = timedelta(seconds=every) if is_number(every) else every
    except (ValueError, OverflowError):
        raise InvalidSchedule(f"interval: {every!r} is not a length of time; give seconds.") from None
    if not isinstance(length, timedelta):
        raise InvalidSchedule(f"interval: {every!r} is not a number of seconds or a timedelta.")
    if not timedelta(seconds=1) <= length <= LONGEST:
        raise InvalidSchedule(f"interval: {length} is not between a second and a hundred years.")
    return length
