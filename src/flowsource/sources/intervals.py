"""The time between two polls, as a person gave it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flowsource.errors import InvalidInput

# What asks others more often than this is a burden to whoever runs the server, and pays for it.
_SHORTEST: Final = timedelta(seconds=5)


def checked_interval(given: float | timedelta | None, *, asks_others: bool) -> timedelta | None:
    """`given` (seconds, or a timedelta) as a length of time; None stays None.

    One that `asks_others`, rather than this machine, is no less than 5 seconds.

    Raises InvalidInput for what is not a length of time above 0.
    """
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float | timedelta):
        raise InvalidInput(f"pull_interval: {given!r} is not a number of seconds or a timedelta.")
    try:
        interval = given if isinstance(given, timedelta) else timedelta(seconds=given)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"pull_interval: {given!r} is not a length of time; give seconds.") from error
    if interval <= timedelta(0):
        raise InvalidInput(f"pull_interval: {given!r} is not above 0; give seconds, or None.")
    return max(interval, _SHORTEST) if asks_others else interval
