"""Instants and lengths of time as people write them in a word."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_PART = re.compile(r"([0-9]+)([smhdw])")
_DAYS_AGO = {"today": 0, "yesterday": 1}


def length(text: str) -> timedelta:
    """A length of time such as `90m`, `2d` or `1d12h`; raises ValueError that says how one is written.

    >>> length("90m"), length("1d12h")
    (datetime.timedelta(seconds=5400), datetime.timedelta(days=1, seconds=43200))
    """
    if not _LENGTH.fullmatch(text):
        raise ValueError("give a length of time such as 90m, 12h, 2d or 3w")
    try:
        return _length(text)
    except OverflowError:
        raise ValueError("that is longer than all time") from None


def moment(text: str, *, now: datetime, zone: tzinfo | None) -> datetime:
    """The instant that `text` names, in UTC: so long before `now`, the beginning of a day in `zone`, or in ISO 8601.

    What has no offset is on the clock of `zone`; None is that of this machine. Raises ValueError that says what may be
    given.

    >>> moment("2d", now=datetime(2026, 1, 3, 9, tzinfo=UTC), zone=UTC).isoformat()
    '2026-01-01T09:00:00+00:00'
    """
    word = text.lower()
    try:
        if _LENGTH.fullmatch(word):
            return (now - _length(word)).astimezone(UTC)
        if word in _DAYS_AGO:
            today = now.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
            return _on_the_clock(today - timedelta(days=_DAYS_AGO[word]), zone)
        return _on_the_clock(datetime.fromisoformat(text), zone)
    except OverflowError:
        raise ValueError("that is further away than all time") from None
    except ValueError:
        raise ValueError(
            "give how long ago it was (90m, 2d), today, yesterday, or a time such as 2026-03-01 or 2026-03-01T02:00Z"
        ) from None


def _length(text: str) -> timedelta:
    return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text)))


def _on_the_clock(at: datetime, zone: tzinfo | None) -> datetime:
    if at.tzinfo is None and zone is not None:
        at = at.replace(tzinfo=zone)
    return at.astimezone(UTC)
