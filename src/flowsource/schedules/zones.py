"""The clocks on the walls of the world, which skip an hour and repeat one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowsource.errors import InvalidSchedule

# No clock was ever set by more than a day.
_AROUND = timedelta(hours=26)


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that IANA name; raises InvalidSchedule where this machine knows none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise InvalidSchedule(
            f"timezone: {name!r} is not a time zone; give an IANA name such as 'Europe/Berlin'."
        ) from None


def wall_clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock there shows at `moment`, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def instant_of(wall: datetime, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    """The instant, in UTC, at which the clock there shows `wall`: the first of two with `fold` 0, else the second.

    One that the clock skips is as long after the last that it shows before.
    """
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def change_around(moment: datetime, zone: ZoneInfo) -> timedelta:
    """By how much the clock there is set, forward or back, within a day of `moment`."""
    before, after = ((moment + around).astimezone(zone).utcoffset() for around in (-_AROUND, _AROUND))
    assert before is not None, "it is in a zone"
    assert after is not None, "it is in a zone"
    return abs(after - before)
