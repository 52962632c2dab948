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
    return min(every * (1 << min(failures, 16)), max(ceiling, every))


def jittered(delay: timedelta, chance: float) -> timedelta:
    """`delay` shortened or prolonged by up to a fifth; `chance` is a random number in [0, 1).

    >>> jittered(timedelta(seconds=10), 0.0), jittered(timedelta(seconds=10), 0.5)
    (datetime.timedelta(seconds=8), datetime.timedelta(seconds=10))
    """
    return delay * (0.8 + 0.4 * chance)
