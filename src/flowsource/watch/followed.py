"""A source that is kept fresh: its newest snapshot, and how it is."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from flowsource.errors import SourceError
from flowsource.revisions import Revision
from flowsource.snapshots.snapshot import Snapshot
from flowsource.source_status import Poll, Rewrite, SourceState, SourceStatus
from flowsource.sources.base import Source
from flowsource.watch.backoff import UNTIL_FIRST_SUCCESS, poll_delay
from flowsource.watch.latest import Latest
from flowsource.watch.status import after_failure, after_success


class Followed:
    """`source` as its watcher knows it, beginning with what was `known` of it before.

    `snapshot` is the one that was handed on last, `poll` the last look. A revision that could not be had is not
    fetched anew at each poll: the time until it is tried again grows, and no other revision waits for it.
    """

    def __init__(self, source: Source, known: Latest) -> None:
        self.source, self.snapshot = source, known.snapshot
        now = datetime.now(UTC)
        new = SourceStatus(label=source.label, since=now)
        self.status = after_failure(new, known.failure, at=now) if known.failure else after_success(new, at=now)
        self.poll: Poll | None = None
        self._refused: Revision | None = None
        self._again_at = 0.0

    @property
    def is_in_order(self) -> bool:
        """Whether the last poll left it as new as its remote."""
        return self.status.state is SourceState.OK

    def is_waiting_for(self, revision: Revision) -> bool:
        """Whether `revision` could not be had a moment ago, so that it is too early to ask for it again."""
        return revision == self._refused and time.monotonic() < self._again_at

    def succeeded(self, snapshot: Snapshot) -> None:
        """Note that a poll left it at `snapshot`, as new as its remote."""
        self.snapshot, self._refused = snapshot, None
        self.status = after_success(self.status, at=datetime.now(UTC))

    def failed(self, error: SourceError, *, wanted: Revision | None = None) -> None:
        """Note that a poll failed, on the way to the revision that was `wanted` if it came so far.

        If it did not, whatever was refused before is asked for again by the next poll that does.
        """
        self.status = after_failure(self.status, error, at=datetime.now(UTC))
        self._refused = wanted
        self._again_at = time.monotonic() + poll_delay(self.status.failures, every=UNTIL_FIRST_SUCCESS).total_seconds()

    def rewritten(self, rewrite: Rewrite) -> None:
        """Note that its history did not go on from where it was."""
        self.status = replace(self.status, rewritten=rewrite)

    def is_due_at(self, at: datetime | None) -> None:
        """Note when it is asked again; None where nobody knows."""
        self.status = replace(self.status, next_try_at=at)

    def try_again(self) -> None:
        """Let the next poll ask for what could not be had, however long ago that was."""
        self._refused = None
