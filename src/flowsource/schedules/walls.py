"""Instants in their order, of what fires when a clock on the wall shows certain times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flowsource.schedules.zones import wall_clock


def next_instant(
    walls_from: Callable[[datetime], Iterable[datetime]],
    instants_of: Callable[[datetime], Iterable[datetime]],
    *,
    moment: datetime,
    zone: ZoneInfo,
    set_by: timedelta,
) -> datetime | None:
    """The first instant strictly later than `moment`, or None where there is none.

    `walls_from` gives what the clock in `zone` shows when something is to fire, from a time on and in order;
    `instants_of` the instants at which it does when the clock shows that. Where that is near a change of the clock, the
    order on it is not the order in time: `set_by` is how far the two may be apart from `moment` on.
    """
    found: tuple[datetime, datetime] | None = None
    for wall in walls_from(wall_clock(moment, zone) - set_by):
        if found is not None and wall > found[1] + set_by:
            break
        for instant in instants_of(wall):
            if instant > moment and (found is None or instant < found[0]):
                found = instant, wall
    return found[0] if found is not None else None
