"""The instants at which a schedule wants a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice

from flowsource.schedules.intervals import Interval
from flowsource.schedules.keeping import Schedule


def after(schedule: Schedule, moment: datetime) -> Iterator[datetime]:
    """Each instant later than `moment`, without end unless the schedule has one."""
    at = schedule.next_after(moment)
    while at is not None:
        yield at
        at = schedule.next_after(at)


def upcoming(schedule: Schedule, *, now: datetime, count: int) -> list[datetime]:
    """The next `count` instants later than `now`; fewer when the schedule ends before."""
    return list(islice(after(schedule, now), count))


def due(schedule: Schedule, *, after: datetime, now: datetime) -> Iterator[datetime]:
    """Each instant in (after, now] at which `schedule` wants a run, oldest first."""
    at = schedule.next_after(after)
    while at is not None and at <= now:
        yield at
        at = schedule.next_after(at)


def last_due(schedule: Schedule, *, after: datetime, now: datetime, count: int) -> list[datetime]:
    """The last `count` instants in (after, now] at which `schedule` wants a run, oldest first."""
    if (first := schedule.next_after(after)) is None or first > now:
        return []
    if isinstance(schedule, Interval):
        # One more than are wanted, for a day that is an hour shorter.
        before = schedule.next_after(now) - schedule.period * (count + 2)
        return list(due(schedule, after=max(after, before), now=now))[-count:]
    # The others can only be walked forwards; wider and wider looks back keep a long absence cheap.
    look = timedelta(minutes=2)
    while True:
        start = max(after, now - look)
        last = deque(due(schedule, after=start, now=now), maxlen=count)
        if len(last) == count or start == after:
            return list(last)
        look = min(4 * look, now - after)


def wait_of(key: str, instant: datetime, spread: timedelta) -> timedelta:
    """How long after its `instant` a run of the schedule `key` comes due, below `spread`: by chance, and always so."""
    drawn = int.from_bytes(sha256(f"{key} {instant.isoformat()}".encode()).digest()[:8])
    return spread * (drawn / 2**64)
