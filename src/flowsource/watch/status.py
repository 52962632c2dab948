"""How a source is: what its last poll found, as a value that can be shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from flowsource.errors import AuthenticationFailed, SourceError, SourceInvalid, SourceUnavailable


class SourceState(StrEnum):
    """Where a source stands."""

    NEW = "new"
    OK = "ok"
    DEGRADED = "degraded"
    AUTH_FAILED = "auth_failed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """A source as its watcher knows it. `since` is when `state` began; `failures` counts polls that failed in a row."""

    label: str
    state: SourceState = SourceState.NEW
    since: datetime
    reason: str | None = None
    failures: int = 0


def after_success(status: SourceStatus, *, at: datetime) -> SourceStatus:
    """`status` once a poll succeeded."""
    since = status.since if status.state is SourceState.OK else at
    return replace(status, state=SourceState.OK, since=since, reason=None, failures=0)


def after_failure(status: SourceStatus, error: SourceError, *, at: datetime) -> SourceStatus:
    """`status` once a poll failed with `error`."""
    state = _state_of(error)
    since = status.since if status.state is state else at
    return replace(status, state=state, since=since, reason=str(error), failures=status.failures + 1)


def _state_of(error: SourceError) -> SourceState:
    if isinstance(error, AuthenticationFailed):
        return SourceState.AUTH_FAILED
    if isinstance(error, SourceUnavailable):
        return SourceState.DEGRADED
    return SourceState.MISSING if isinstance(error, SourceInvalid) else SourceState.DEGRADED
