"""When a server that has had enough of us wants to be asked again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

# What a server asks for is obeyed, within reason: a number may have as many digits as it likes.
_LONGEST_WAIT: Final = 86_400.0


def asked_to_wait(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds (0 to a day) that an answer asks to wait, or None.

    It says so with Retry-After, as seconds or as a date, or with how GitHub tells when more requests are allowed.
    """
    wait = retry_after(headers.get("Retry-After"), now=now)
    reset = headers.get("X-RateLimit-Reset", "").strip()
    if wait is None and is_used_up(headers) and reset.isascii() and reset.isdigit():
        return _clamped(float(reset) - now.timestamp())
    return wait


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds (0 to a day) that a Retry-After header asks to wait, given as seconds or as a date; None if it cannot be
    read."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return _clamped(float(value))
    try:
        at = parsedate_to_datetime(value)
        return _clamped(((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _clamped(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_WAIT)


def is_used_up(headers: Mapping[str, str]) -> bool:
    """Whether no request is left of those that are allowed."""
    return headers.get("X-RateLimit-Remaining", "").strip() == "0"
