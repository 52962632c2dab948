"""When a deployment wants to run: pure functions of time, in UTC-aware instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
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


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from `anchor`. Raises InvalidSchedule for less than a second or a naive anchor."""

    every: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.every < timedelta(seconds=1):
            raise InvalidSchedule(f"interval: {self.every} is too short; give one second or more.")
        if self.anchor.utcoffset() is None:
            raise InvalidSchedule("interval: the anchor has no time zone; give an aware datetime.")

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
        from croniter import CroniterError, croniter

        try:
            zone = ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidSchedule(
                f"timezone: {self.timezone!r} is not a time zone; give an IANA name such as 'Europe/Berlin'."
            ) from None
        try:
            croniter(self._fields, datetime.now(UTC).astimezone(zone)).get_next(datetime)
        except (CroniterError, ValueError, KeyError, AttributeError) as error:
            raise InvalidSchedule(
                f"cron: {self.expression!r} is not a cron expression that can fire ({error}); "
                "give five fields, such as '0 2 * * *'."
            ) from None

    @property
    def _fields(self) -> str:
        return _ALIASES.get(self.expression.strip().lower(), self.expression)

    def next_after(self, moment: datetime) -> datetime:
        """The first instant of this schedule strictly later than `moment`, in UTC."""
        from croniter import croniter

        fixed_hour = not any(sign in self._fields.split()[1] for sign in "*/-,")
        instants = croniter(self._fields, moment.astimezone(ZoneInfo(self.timezone)))
        while True:
            instant: datetime = instants.get_next(datetime)
            # croniter walks both passes of an hour that the clock repeats; a fixed hour means it once.
            second_pass = instant.fold and instant.replace(fold=0).utcoffset() != instant.utcoffset()
            if not (fixed_hour and second_pass):
                return instant.astimezone(UTC)

    def describe(self) -> str:
        """As a person would say it."""
        return f"cron {self.expression!r}" + (f" in {self.timezone}" if self.timezone != "UTC" else "")

    def to_json(self) -> dict[str, Any]:
        """A mapping from which `schedule_from_json` makes an equal schedule."""
        return {"kind": "cron", "expression": self.expression, "timezone": self.timezone}


Schedule = Interval | Cron


def schedule_from_json(data: dict[str, Any]) -> Schedule:
    """The schedule that `to_json` described; raises KeyError for anything else."""
    if data["kind"] == "interval":
        return Interval(timedelta(seconds=data["every"]), datetime.fromisoformat(data["anchor"]))
    return Cron(data["expression"], data["timezone"])


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


def latest_due(schedule: Schedule, *, after: datetime, now: datetime) -> datetime | None:
    """The last instant in (after, now] at which `schedule` wants a run: what is left to do after a time away."""
    if isinstance(schedule, Interval):
        at = schedule.next_after(now) - schedule.every
        return at if at > after else None
    # A cron expression can only be walked forwards; wider and wider looks back keep a long absence cheap.
    for days in (1 / 24, 1, 32, 366, 40 * 366):
        start = max(after, now - timedelta(days=days))
        last = max(due(schedule, after=start, now=now), default=None)
        if last is not None or start == after:
            return last
    return None


def schedule_from_arguments(
    *, interval: float | timedelta | None, cron: str | None, schedule: Schedule | None, now: datetime
) -> Schedule | None:
    """The one schedule that was asked for by keyword, or None; raises InvalidSchedule when two were given."""
    given = {"interval": interval, "cron": cron, "schedule": schedule}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InvalidSchedule(f"{', '.join(named)}: only one schedule may be given; keep one of them.")
    if cron is not None:
        return Cron(cron)
    if interval is None:
        return schedule
    if isinstance(interval, bool) or not isinstance(interval, int | float | timedelta):
        raise InvalidSchedule(f"interval: {interval!r} is not a number of seconds or a timedelta.")
    return Interval(interval if isinstance(interval, timedelta) else timedelta(seconds=interval), now)
