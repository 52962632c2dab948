"""When a deployment wants to run: pure functions of time, in UTC-aware instants."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowsource.errors import InvalidSchedule

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# Long enough for anybody, and short enough that no sum of instants leaves the calendar.
_LONGEST = timedelta(days=36525)
# What can fire is told from here, so that the answer never depends on when it is asked.
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, from a second to a hundred years, counted from `anchor` (aware; kept in UTC).

    Raises InvalidSchedule for anything else.
    """

    every: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if not isinstance(self.every, timedelta):
            raise InvalidSchedule(f"interval: {self.every!r} is not a timedelta; give one.")
        if not timedelta(seconds=1) <= self.every <= _LONGEST:
            raise InvalidSchedule(f"interval: {self.every} is not between a second and a hundred years.")
        if not isinstance(self.anchor, datetime) or self.anchor.utcoffset() is None:
            raise InvalidSchedule(f"interval: the anchor {self.anchor!r} is not an aware datetime; give one.")
        # Sums of instants in a zone are sums on its wall clock, which repeats an hour and skips another.
        object.__setattr__(self, "anchor", self.anchor.astimezone(UTC))

    def next_after(self, moment: datetime) -> datetime:
        """The first instant of this schedule strictly later than `moment`."""
        return self.anchor + self.every * ((moment - self.anchor) // self.every + 1)

    def describe(self) -> str:
        """As a person would say it."""
        seconds = self.every.total_seconds()
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            if seconds % size == 0:
                count = int(seconds // size)
                return f"every {unit}" if count == 1 else f"every {count} {unit}s"
        return f"every {seconds:g} seconds"

    def to_json(self) -> dict[str, Any]:
        """A mapping from which `schedule_from_json` makes an equal schedule."""
        return {"kind": "interval", "every": self.every.total_seconds(), "anchor": self.anchor.isoformat()}


@dataclass(frozen=True, slots=True)
class Cron:
    """The instants of a cron expression, read on the wall clock of `timezone` (an IANA name).

    Five fields, or six with seconds last, and the usual aliases such as `@daily`. At a change of clocks the rule of
    Debian's cron holds: an instant that the clock skips fires when the clock is past it, and a fixed hour that the
    clock repeats fires once. Raises InvalidSchedule for an expression that can never fire or an unknown zone.
    """

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if not isinstance(self.expression, str):
            raise InvalidSchedule(f"cron: {self.expression!r} is not text; give five fields, such as '0 2 * * *'.")
        fields = self._fields.split()
        if len(fields) not in (5, 6):
            # A seventh would be the year: a schedule that one day can never fire again.
            raise self._unusable(f"it has {len(fields)} fields")
        if random := [field for field in fields if field[0] in "rR"]:
            raise self._unusable(f"{random[0]!r} means another moment each time it is read")
        self.next_after(_ANY_MOMENT)

    @classmethod
    def as_stored(cls, expression: str, timezone: str) -> Self:
        """One that was checked when it was declared.

        It is not checked anew: nothing that changed since, such as the time zones of this machine, may keep what is
        stored from being read. Where it cannot be used, `next_after` says so.
        """
        cron = object.__new__(cls)
        object.__setattr__(cron, "expression", expression)
        object.__setattr__(cron, "timezone", timezone)
        return cron

    @property
    def _fields(self) -> str:
        return _ALIASES.get(self.expression.strip().lower(), self.expression)

    def next_after(self, moment: datetime) -> datetime:
        """The first instant of this schedule strictly later than `moment`, in UTC; raises InvalidSchedule when there
        is none, or the zone is unknown on this machine."""
        from croniter import CroniterError

        try:
            zone = ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise InvalidSchedule(
                f"timezone: {self.timezone!r} is not a time zone; give an IANA name such as 'Europe/Berlin'."
            ) from None
        try:
            return self._next_in(zone, moment)
        except (CroniterError, ValueError, LookupError, AttributeError) as error:
            raise self._unusable(str(error)) from None

    def _next_in(self, zone: ZoneInfo, moment: datetime) -> datetime:
        from croniter import croniter

        fixed_hour = not any(sign in self._fields.split()[1] for sign in "*/-,")
        instants = croniter(self._fields, moment.astimezone(zone))
        while True:
            instant: datetime = instants.get_next(datetime)
            # croniter walks both passes of an hour that the clock repeats; a fixed hour means it once.
            second_pass = instant.fold and instant.replace(fold=0).utcoffset() != instant.utcoffset()
            if not (fixed_hour and second_pass):
                return instant.astimezone(UTC)

    def _unusable(self, reason: str) -> InvalidSchedule:
        return InvalidSchedule(
            f"cron: {self.expression!r} is not a cron expression that can fire ({reason}); "
            "give five fields, such as '0 2 * * *', or six with seconds last."
        )

    def describe(self) -> str:
        """As a person would say it."""
        return f"cron {self.expression!r}" + (f" in {self.timezone}" if self.timezone != "UTC" else "")

    def to_json(self) -> dict[str, Any]:
        """A mapping from which `schedule_from_json` makes an equal schedule."""
        return {"kind": "cron", "expression": self.expression, "timezone": self.timezone}


Schedule = Interval | Cron


def schedule_from_json(data: dict[str, Any]) -> Schedule:
    """The schedule that `to_json` described, whatever the clock says by now; raises KeyError for anything else."""
    if data["kind"] == "interval":
        return Interval(timedelta(seconds=data["every"]), datetime.fromisoformat(data["anchor"]))
    return Cron.as_stored(data["expression"], data["timezone"])


def content_key(schedule: Schedule) -> str:
    """Names a schedule by what it says, so that the same one declared again is the same one.

    The anchor of an interval is left out: it is fixed at the first registration and survives restarts.
    """
    said = f"interval {schedule.every.total_seconds()}" if isinstance(schedule, Interval) else schedule.describe()
    return sha256(said.encode()).hexdigest()[:16]


def due(schedule: Schedule, *, after: datetime, now: datetime) -> Iterator[datetime]:
    """Each instant in (after, now] at which `schedule` wants a run, oldest first."""
    at = schedule.next_after(after)
    while at <= now:
        yield at
        at = schedule.next_after(at)


def last_due(schedule: Schedule, *, after: datetime, now: datetime, count: int) -> list[datetime]:
    """The last `count` instants in (after, now] at which `schedule` wants a run, oldest first."""
    if schedule.next_after(after) > now:
        return []
    if isinstance(schedule, Interval):
        before = schedule.next_after(now) - schedule.every * (count + 1)
        return list(due(schedule, after=max(after, before), now=now))
    # A cron expression can only be walked forwards; wider and wider looks back keep a long absence cheap.
    look = timedelta(minutes=2)
    while True:
        start = max(after, now - look)
        last = deque(due(schedule, after=start, now=now), maxlen=count)
        if len(last) == count or start == after:
            return list(last)
        look = min(4 * look, now - after)


def schedules_from_arguments(
    *,
    interval: float | timedelta | Iterable[float | timedelta] | None,
    cron: str | Iterable[str] | None,
    schedule: Schedule | None,
    schedules: Iterable[Schedule] | None,
    now: datetime,
) -> tuple[Schedule, ...]:
    """The schedules that were asked for by one of these keywords; raises InvalidSchedule naming what cannot be used."""
    given = {"interval": interval, "cron": cron, "schedule": schedule, "schedules": schedules}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InvalidSchedule(
            f"{', '.join(named)}: only one of these may be given; keep one, or list them all as schedules=[...]."
        )
    if cron is not None:
        made: list[Schedule] = [Cron(each) for each in _listed(cron)]
    elif interval is not None:
        made = [Interval(_length(each), now) for each in _listed(interval)]
    else:
        made = [_checked(each, named[0]) for each in ([schedule] if schedule is not None else _listed(schedules or ()))]
    if len(set(map(content_key, made))) < len(made):
        raise InvalidSchedule(f"{named[0]}: the same schedule is given more than once; keep one of them.")
    return tuple(made)


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else [given]


def _checked(schedule: object, name: str) -> Schedule:
    if not isinstance(schedule, Interval | Cron):
        raise InvalidSchedule(
            f"{name}: {schedule!r} is not a schedule; give Cron('0 2 * * *', 'Europe/Berlin') or an Interval, "
            "or say cron='0 2 * * *'."
        )
    return schedule


def _length(interval: float | timedelta) -> timedelta:
    if isinstance(interval, timedelta):
        return interval
    if isinstance(interval, bool) or not isinstance(interval, int | float):
        raise InvalidSchedule(f"interval: {interval!r} is not a number of seconds or a timedelta.")
    try:
        return timedelta(seconds=interval)
    except (ValueError, OverflowError):
        raise InvalidSchedule(f"interval: {interval!r} is not a length of time; give seconds.") from None
