"""How long a server asks to be left alone, as its headers say it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flowsource.sources.git.wire.ratelimits import asked_to_wait, retry_after

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("17", 17.0),
        (" 0 ", 0.0),
        ("Wed, 01 Jan 2025 12:01:30 GMT", 90.0),
        ("Wed, 01 Jan 2025 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("9" * 20, 86_400.0),
        ("9" * 400, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Wed, 01 Jan 2025 12:01:30 +99999999999999", None),
        ("Wed, 01 Jan 99999999999999999999 12:01:30 GMT", None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=datetime(2025, 1, 1, 12, 0, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1735732890"}, 90.0),
        ({"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "1735732890"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1735732890", "Retry-After": "5"}, 5.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 400}, 86_400.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
    ],
)
async def test_when_more_requests_are_allowed_is_read_as_github_says_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_to_wait(headers, now=datetime(2025, 1, 1, 12, 0, tzinfo=UTC)) == seconds
