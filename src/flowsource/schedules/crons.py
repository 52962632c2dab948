"""Schedules in the words of cron."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from heapq import merge
from typing import Any
from zoneinfo import ZoneInfo

from flowsource.errors import InvalidSchedule
from flowsource.schedules.options import ScheduleOptions
from flowsource.schedules.walls import next_instant
from flowsource.schedules.zones import change_around, instant_past, instants_of, zone_named

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# What can fire is told from here, so that the answer never depends on when it is asked.
_ANY_WALL = datetime(2000, 1, 1)  # noqa: DTZ001 - of a wall clock


@dataclass(frozen=True, slots=True)
class Cron(ScheduleOptions):
    """The instants of a cron expression, read on the wall clock of `timezone` (an IANA name).

    Five fields, or six with seconds last, `L` and `#` in them, and the usual aliases such as `@daily`. Where both the
    day of the month and that of the week are given, one of them is enough; where one of these begins with a star, or
    with `day_or=False`, both must hold. At a change of clocks one that fires every hour goes on as time does, skipping
    what the clock skips and repeating what it repeats; any other fires once for what the clock repeats, and for what it
    skips when the clock is past that. All this is as in Debian's cron. The rest is as in `ScheduleOptions`. Raises
    InvalidSchedule for an expression that can never fire or an unknown zone.
    """

    expression: str
    timezone: str = "UTC"
    day_or: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.expression, str):
            raise InvalidSchedule(f"cron: {self.expression!r} is not text; give five fields, such as '0 2 * * *'.")
        fields = self._fields.split()
        if len(fields) not in (5, 6):
            # A seventh would be the year: a schedule that one day can never fire again.
            raise self._unusable(f"it has {len(fields)} fields")
        if random := [field for field in fields if field[0] in "rR"]:
            raise self._unusable(f"{random[0]!r} means another moment each time it is read")
        zone_named(self.timezone)
        if not self._as_read().sides:
            raise self._unusable("it finds no day")
        self.check_options()

    @property
    def _fields(self) -> str:
        return _ALIASES.get(self.expression.strip().lower(), self.expression)

    def next_after(self, moment: datetime) -> datetime:
        """The first instant of this schedule strictly later than `moment`, in UTC; raises InvalidSchedule when there
        is none, or the zone is unknown on this machine."""
        zone, read = zone_named(self.timezone), self._as_read()
        # What the clock skips fires when it is past it, in order: only what it repeats does not, while it does.
        set_by = change_around(moment, zone, within=change_around(moment, zone))
        found = next_instant(
            read.walls_from, lambda wall: read.instants_of(wall, zone), moment=moment, zone=zone, set_by=set_by
        )
        if found is None:
            raise self._unusable("it finds no day")
        return found

    def _as_read(self) -> _Read:
        try:
            return _read(self._fields, self.day_or)
        except (ValueError, LookupError, AttributeError) as error:
            raise self._unusable(str(error)) from None

    def _unusable(self, reason: str) -> InvalidSchedule:
        return InvalidSchedule(
            f"cron: {self.expression!r} is not a cron expression that can fire ({reason}); "
            "give five fields, such as '0 2 * * *', or six with seconds last."
        )

    def describe(self) -> str:
        """As a person would say it."""
        return self.content

    @property
    def content(self) -> str:
        """What makes it another one."""
        both = "" if self.day_or else " where both days hold"
        zone = f" in {self.timezone}" if self.timezone != "UTC" else ""
        return f"cron {self.expression!r}{both}{zone}"

    def to_json(self) -> dict[str, Any]:
        """A mapping from which `schedule_from_json` makes an equal schedule."""
        both = {} if self.day_or else {"day_or": False}
        said = {"kind": "cron", "expression": self.expression, "timezone": self.timezone}
        return {**said, **both, **self.options_to_json()}


def cron_fields(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of a cron that `to_json` described."""
    return {
        "expression": data["expression"],
        "timezone": data["timezone"],
        "day_or": data.get("day_or", True),
    }


@dataclass(frozen=True, slots=True)
class _Read:
    """An expression on a wall clock: what fires whenever one of `sides` does, each of which is one as croniter reads it
    where both days must hold. `is_hourly` says that it fires in every hour."""

    sides: tuple[str, ...]
    is_hourly: bool

    def walls_from(self, wall: datetime) -> Iterator[datetime]:
        """What the clock shows when it fires, from `wall` on, in order; some more than once."""
        return merge(*(_walls_of(side, wall) for side in self.sides))

    def instants_of(self, wall: datetime, zone: ZoneInfo) -> list[datetime]:
        """The instants that it fires at when the clock shows `wall`."""
        return instants_of(wall, zone) if self.is_hourly else [instant_past(wall, zone)]


@lru_cache(maxsize=64)
def _read(fields: str, day_or: bool) -> _Read:
    """The expression that `fields` say; raises ValueError, LookupError or AttributeError where there is no sense in
    them."""
    from croniter import croniter

    minute, hour, day, month, weekday, *seconds = fields.split()
    sides = [(minute, hour, day, month, weekday, *seconds)]
    # As in Debian's cron: beside a day that begins with a star the other one must hold as well, steps included.
    if day_or and not any(field[0] in "*?" for field in (day, weekday)):
        # croniter takes both where one is a `#`, an `L` or a `W`, whatever it is told.
        sides = [(minute, hour, day, month, "*", *seconds), (minute, hour, "*", month, weekday, *seconds)]
    firing = [side for side in map(" ".join, sides) if next(_walls_of(side, _ANY_WALL), None) is not None]
    hours = croniter.expand(fields)[0][1]
    return _Read(sides=tuple(firing), is_hourly=hours == ["*"])


def _walls_of(side: str, wall: datetime) -> Iterator[datetime]:
    from croniter import CroniterBadDateError, croniter

    # It gives what is later than where it begins.
    walls = croniter(side, wall - timedelta(seconds=1), ret_type=datetime, day_or=False)
    try:
        while True:
            yield walls.get_next()
    except CroniterBadDateError:
        return
