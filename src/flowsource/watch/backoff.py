"""How long to wait before a source is asked again."""

from __future__ import annotations

from datetime import timedelta

CEILING = timedelta(minutes=15)
UNTIL_FIRST_SUCCESS = timedelta(seconds=2)


def poll_delay(failures: int, *, every: timedelta, ceiling: timedelta = CEILING) -> timedelta:
    """Time until the next poll after `failures` (0 or more) polls have failed in a row.

    Doubles with each failure up to `ceiling`, which never shortens `every` itself. Exact: the caller adds jitter.

    >>> poll_delay(0, every=timedelta(seconds=60))
    datetime.timedelta(seconds=60)
    >>> poll_delay(3, every=timedelta(seconds=10), ceiling=timedelta(minutes=1))
    datetime.timedelta(seconds=60)
    """
    # Compared first: a very long interval cannot be doubled.
    return every if every >= ceiling else min(every * (1 << min(failures, 16)), ceiling)


def jittered(delay: timedelta, chance: float) -> float:
    """`delay` in seconds, shortened or prolonged by up to a fifth; `chance` is a random number in [0, 1).

    Seconds, for they are on their way to a clock, and a very long delay that is prolonged is no timedelta any more.

    >>> jittered(timedelta(seconds=10), 0.0), jittered(timedelta(seconds=10), 0.5)
    (8.0, 10.0)
    """
    return delay.total_seconds() * (0.8 + 0.4 * chance)
