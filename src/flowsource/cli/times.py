"""Instants and durations, as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def relative(at: datetime, *, now: datetime) -> str:
    """How far away `at` is, to the precision that helps.

    >>> noon = datetime(2025, 1, 1, 12)
    >>> relative(noon - timedelta(minutes=90), now=noon), relative(noon + timedelta(seconds=40), now=noon)
    ('1 h ago', 'in 40 s')
    """
    seconds = round((at - now).total_seconds())
    if seconds == 0:
        return "now"
    unit, size = next((unit, size) for unit, size in _UNITS if abs(seconds) >= size)
    count = abs(seconds) // size
    return f"in {count} {unit}" if seconds > 0 else f"{count} {unit} ago"


def absolute(at: datetime) -> str:
    """`at` on the clock of this machine's time zone, to the second, with the zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def both(at: datetime, *, now: datetime) -> str:
    """How far away `at` is, and when exactly."""
    return f"{relative(at, now=now)} ({absolute(at)})"


def clock(at: datetime) -> str:
    """The time of day, on this machine's clock."""
    return at.astimezone().strftime("%H:%M:%S")


def duration(length: timedelta) -> str:
    """A length of time in its two greatest units.

    >>> duration(timedelta(seconds=0.0421)), duration(timedelta(seconds=75)), duration(timedelta(hours=30))
    ('0.04 s', '1 min 15 s', '1 d 6 h')
    """
    seconds = length.total_seconds()
    if seconds < 10:
        return f"{seconds:.2f} s"
    rest, counts = round(seconds), []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        counts.append((count, unit))
    first = next(place for place, (count, _) in enumerate(counts) if count)
    return " ".join(f"{count} {unit}" for count, unit in counts[first : first + 2] if count)
