"""Ids of runs, which sort by time, and names of runs, which people can say."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_run_id(at: datetime) -> UUID:
    """An id that is later in order than that of any run created before `at`.

    Method: UUID version 7 (RFC 9562, 5.7), with the microseconds as the 12-bit fraction of its method 3.

    >>> new_run_id(_EPOCH) < new_run_id(_EPOCH + timedelta(microseconds=1))
    True
    """
    return UUID(int=first_run_id(at).int | secrets.randbits(62))


def first_run_id(at: datetime) -> UUID:
    """The least id that a run created at `at` can have; that of the beginning of 1970 for whatever is before it."""
    milliseconds, microseconds = divmod(max(at - _EPOCH, timedelta(0)) // timedelta(microseconds=1), 1000)
    fraction = microseconds * 4096 // 1000
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62)


def new_run_name() -> str:
    """Two words such as `brave-otter`; nothing keeps a second run from getting the same."""
    # Its word lists take tens of milliseconds to load, which only those who create runs should pay.
    from coolname import generate_slug

    return generate_slug(2)
