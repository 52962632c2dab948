"""Schedules in the words of cron."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flowsource.errors import InvalidSchedule
from flowsource.schedules.options import ScheduleOptions
from flowsource.schedules.zones import zone_named

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
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cron(ScheduleOptions):
    """The instants of a cron expression, read on the wall clock of `timezone` (an IANA name).

    Five fields, or six with seconds last, `L` and `#` in them, and the usual aliases such as `@daily`. Where both the
    day of the month and that of the week are given, one of them is enough, or with `day_or=False` both must hold. At a
    change of clocks the rule of Debian's cron holds: an instant that the clock skips fires when the clock is past it,
    and a fixed hour that the clock repeats fires once. The rest is as in `ScheduleOptions`. Raises InvalidSchedule for
    an expression that can never fire or an unknown zone.
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
        self.next_after(_ANY_MOMENT)
        self.check_options()

    @property
    def _fields(self) -> str:
        return _ALIASES.get(self.expression.strip().lower(), self.expression)

    def next_after(self, moment: datetime) -> datetime:
        """The first instant of this schedule strictly later than `moment`, in UTC; raises InvalidSchedule when there
        is none, or the zone is unknown on this machine."""
        from croniter import CroniterError

        zone = zone_named(self.timezone)
        try:
            return self._next_in(zone, moment)
        except (CroniterError, ValueError, LookupError, AttributeError) as error:
            raise self._unusable(str(error)) from None

    def _next_in(self, zone: ZoneInfo, moment: datetime) -> datetime:
        from croniter import croniter

        fixed_hour = not any(sign in self._fields.split()[1] for sign in "*/-,")
        instants = croniter(self._fields, moment.astimezone(zone), day_or=self.day_or)
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
