"""The clocks on the walls of the world, which skip an hour and repeat one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowsource.errors import InvalidSchedule

# No clock was ever set by more than a day.
_AROUND = timedelta(hours=26)
_SECOND = timedelta(seconds=1)


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


def instants_of(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants, in UTC, at which the clock there shows `wall`: none if it skips that, two if it repeats it."""
    first, second = (instant_of(wall, zone, fold=fold) for fold in (0, 1))
    if wall_clock(first, zone) != wall:
        return []
    return [first] if second == first else [first, second]


def instant_past(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which the clock there shows `wall`, or something later because it skips that."""
    if instants := instants_of(wall, zone):
        return instants[0]
    # Read by the clock as it is set after and before, these two lie around the change.
    before, after = (instant_of(wall, zone, fold=fold) for fold in (1, 0))
    while after - before > _SECOND:
        middle = before + (after - before) // (2 * _SECOND) * _SECOND
        before, after = (before, middle) if wall_clock(middle, zone) > wall else (middle, after)
    return after


def change_around(moment: datetime, zone: ZoneInfo, within: timedelta = _AROUND) -> timedelta:
    """By how much the clock there is set, forward or back, `within` so long of `moment` (by default a day)."""
    before, after = ((moment + around).astimezone(zone).utcoffset() for around in (-within, within))
    assert before is not None, "it is in a zone"
    assert after is not None, "it is in a zone"
    return abs(after - before)
