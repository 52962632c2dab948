"""What a poll makes of the status of a source."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from flowsource.errors import AuthenticationFailed, RefNotFound, RevisionGone, SourceError, SourceMissing
from flowsource.source_status import SourceState, SourceStatus


def after_success(status: SourceStatus, *, at: datetime) -> SourceStatus:
    """`status` once a poll succeeded."""
    since = status.since if status.state is SourceState.OK else at
    return replace(status, state=SourceState.OK, since=since, reason=None, failures=0)


def after_failure(status: SourceStatus, error: SourceError, *, at: datetime) -> SourceStatus:
    """`status` once a poll failed with `error`."""
    state = _state_of(error)
    since = status.since if status.state is state else at
    return replace(status, state=state, since=since, reason=str(error), failures=status.failures + 1)


def while_paused(status: SourceStatus, *, since: datetime) -> SourceStatus:
    """`status` as it is shown while a person keeps the source from being polled."""
    return replace(status, state=SourceState.PAUSED, since=since, reason=None, next_try_at=None)


def _state_of(error: SourceError) -> SourceState:
    if isinstance(error, AuthenticationFailed):
        return SourceState.AUTH_FAILED
    if isinstance(error, SourceMissing | RefNotFound | RevisionGone):
        return SourceState.MISSING
    # Whatever else is wrong, the reason says it: what was there before is still served.
    return SourceState.DEGRADED
