"""Schedules as calendars write them: the recurrence rules of RFC 5545."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from flowsource.errors import InvalidSchedule
from flowsource.schedules.options import ScheduleOptions
from flowsource.schedules.walls import next_instant
from flowsource.schedules.zones import change_around, instant_of, instants_of, wall_clock, zone_named

_LONGEST = 6500
# A rule with an end by COUNT is counted from its beginning each time that it is asked.
_MOST_COUNTED = 10_000
# From when a rule counts that does not say it, on the clock of its zone.
_BEGINNING = datetime(2020, 1, 1)  # noqa: DTZ001 - of a wall clock
# A rule that finds no day for so long has ended, or will never find one.
_LOOK_AHEAD = timedelta(days=40 * 366)
# Nor will one of which so many days, or times, in a row were none of it: forty years of days are a third of that.
_MOST_REFUSED = 50_000
# Of the processor, from one instant to the next. Rules such as one of seconds that fires once a year take more.
_LONGEST_SEARCH = timedelta(seconds=1)
# How often it may fire between two days: what is counted in these can be counted from any later moment as well.
_STEPS = {
    "SECONDLY": timedelta(seconds=1),
    "MINUTELY": timedelta(minutes=1),
    "HOURLY": timedelta(hours=1),
    "DAILY": timedelta(days=1),
    "WEEKLY": timedelta(weeks=1),
}
_WITHIN_A_DAY = ("SECONDLY", "MINUTELY", "HOURLY")
_IN_UTC = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True)
class RRule(ScheduleOptions):
    """The instants of a recurrence rule such as `FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9;BYMINUTE=0`, read on the wall clock
    of `timezone` (an IANA name).

    One rule, with or without `RRULE:` before it, and with a `DTSTART:` or `EXDATE:` on lines of their own; without a
    start it counts from the beginning of 2020. After its UNTIL or COUNT it has ended, and fires no more. At a change of
    clocks a rule that fires within a day skips what the clock skips and repeats what it repeats, as time goes on; any
    other fires once, and for an instant that the clock skips when it is past it. The rest is as in `ScheduleOptions`.
    Raises InvalidSchedule for what cannot be used.
    """

    rrule: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if not isinstance(self.rrule, str):
            raise InvalidSchedule(f"rrule: {self.rrule!r} is not text; give a rule, such as 'FREQ=DAILY;BYHOUR=2'.")
        zone_named(self.timezone)
        rule = _parsed(self.rrule, self.timezone)
        if next(rule.walls_from(rule.start), None) is None:
            raise unusable(self.rrule, "it finds no day")
        self.check_options()

    def next_after(self, moment: datetime) -> datetime | None:
        """The first instant of this schedule strictly later than `moment`, in UTC, or None when it has ended; raises
        InvalidSchedule where the zone is unknown on this machine."""
        zone = zone_named(self.timezone)
        rule = _parsed(self.rrule, self.timezone)
        set_by = change_around(moment, zone)
        return next_instant(
            rule.walls_from, lambda wall: rule.instants_of(wall, zone), moment=moment, zone=zone, set_by=set_by
        )

    def describe(self) -> str:
        """As a person would say it."""
        return self.content

    @property
    def content(self) -> str:
        """What makes it another one."""
        return f"rrule {self.rrule!r}" + (f" in {self.timezone}" if self.timezone != "UTC" else "")

    def to_json(self) -> dict[str, Any]:
        """A mapping from which `schedule_from_json` makes an equal schedule."""
        return {"kind": "rrule", "rrule": self.rrule, "timezone": self.timezone, **self.options_to_json()}


def rrule_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rule that `to_json` described."""
    return {"rrule": data["rrule"], "timezone": data["timezone"]}


def unusable(text: str, reason: str) -> InvalidSchedule:
    """That a rule cannot be used, and why."""
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return InvalidSchedule(
        f"rrule: {shown!r} is not a rule that can fire ({reason}); give one, such as 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9'."
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule on a wall clock. `step` is what it may be begun later by; None where it must be begun at its start."""

    text: str
    rule: Any
    start: datetime
    step: timedelta | None
    is_within_a_day: bool
    left_out: frozenset[datetime] = field(default_factory=frozenset)

    def walls_from(self, wall: datetime) -> Iterator[datetime]:
        """What the clock shows when it fires, from `wall` on, in order."""
        start = self.start
        if self.step is not None and wall > start:
            start += self.step * max((wall - start) // self.step - 1, 0)
        until = max(wall, start) + _LOOK_AHEAD
        if self.rule._until is not None:
            until = min(until, self.rule._until)
        rule = self.rule.replace(dtstart=start, until=until) if self.rule._count is None else self.rule.replace()
        # The library walks to the end of the calendar for a rule that never fires. It asks this for each day.
        rule._bymonth = months = _Months(rule._bymonth or range(1, 13))
        months.begin()
        try:
            for at in rule.xafter(wall, inc=True):
                months.begin()
                if at not in self.left_out:
                    yield at
        except _NeverAgain:
            return
        except _TooLong:
            raise unusable(self.text, "it takes too long to find when it fires") from None

    def instants_of(self, wall: datetime, zone: ZoneInfo) -> list[datetime]:
        """The instants that it fires at when the clock shows `wall`."""
        return instants_of(wall, zone) if self.is_within_a_day else [instant_of(wall, zone)]


class _NeverAgain(Exception):
    """A rule was looked at for so long that it will fire no more."""


class _TooLong(Exception):
    """Nobody can wait for what a rule says."""


class _Months(frozenset[int]):
    """The months of a rule; they notice how often they are looked at, and have enough of it in the end."""

    def begin(self) -> None:
        """Count from here."""
        self._refused, self._began_at = 0, time.thread_time()

    def __contains__(self, month: object) -> bool:
        self._refused += 1
        if self._refused > _MOST_REFUSED:
            raise _NeverAgain
        if time.thread_time() - self._began_at > _LONGEST_SEARCH.total_seconds():
            raise _TooLong
        return super().__contains__(month)


@lru_cache(maxsize=64)
def _parsed(text: str, timezone: str) -> _Rule:
    """The rule that `text` says; raises InvalidSchedule."""
    from dateutil.rrule import rrulestr

    if len(text) > _LONGEST:
        raise unusable(text, f"it has {len(text)} signs, and {_LONGEST} are the most")
    zone = zone_named(timezone)
    lines = _lines_of(text)
    parts = _parts_of(text, lines["RRULE"])
    [start] = _walls_in(text, lines["DTSTART"], zone) or [_BEGINNING]
    try:
        rule = rrulestr(_on_the_wall(lines["RRULE"], zone), dtstart=start, ignoretz=True)
        interval, count = int(parts.get("INTERVAL", "1")), int(parts.get("COUNT", "0"))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise unusable(text, str(error)) from None
    if interval < 1:
        raise unusable(text, "its INTERVAL is not 1 or more")
    if count > _MOST_COUNTED:
        raise unusable(text, f"its COUNT is more than {_MOST_COUNTED:,}; say UNTIL")
    step = _STEPS.get(parts["FREQ"])
    return _Rule(
        text=text,
        rule=rule,
        start=start,
        step=None if step is None or "COUNT" in parts else step * interval,
        is_within_a_day=parts["FREQ"] in _WITHIN_A_DAY and "BYHOUR" not in parts,
        left_out=frozenset(_walls_in(text, lines["EXDATE"], zone)),
    )


def _lines_of(text: str) -> dict[str, str]:
    found = {"RRULE": "", "DTSTART": "", "EXDATE": ""}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        name, value = (name.strip().upper(), value.strip().upper()) if colon else ("RRULE", line.upper())
        if name not in found:
            raise unusable(text, f"{name} is not one of {', '.join(found)}; say timezone=... for a zone")
        if name == "EXDATE" and found[name]:
            value = f"{found[name]},{value}"
        elif found[name]:
            raise unusable(text, f"it has more than one {name}; give several schedules")
        found[name] = value
    return found


def _parts_of(text: str, rule: str) -> dict[str, str]:
    parts = dict(part.split("=", 1) for part in rule.split(";") if "=" in part)
    if "FREQ" not in parts:
        raise unusable(text, "it has no FREQ")
    return parts


def _walls_in(text: str, dates: str, zone: ZoneInfo) -> list[datetime]:
    """The dates of a line, as the clock of the zone shows them."""
    try:
        return [
            datetime.strptime(date, "%Y%m%dT%H%M%S" if "T" in date else "%Y%m%d")  # noqa: DTZ007 - of a wall clock
            for date in filter(None, _on_the_wall(dates, zone).split(","))
        ]
    except ValueError:
        raise unusable(text, f"{dates!r} is not a date such as 20260131T090000") from None


def _on_the_wall(text: str, zone: ZoneInfo) -> str:
    """`text` with each date in UTC as the clock of the zone shows it."""

    def shown(date: re.Match[str]) -> str:
        instant = datetime.strptime(date[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return wall_clock(instant, zone).strftime("%Y%m%dT%H%M%S")

    return _IN_UTC.sub(shown, text)
