"""The watcher of a source: polls its remote, fetches what is new, and hands on each new snapshot."""

from __future__ import annotations

import itertools
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta

import anyio

from flowsource.errors import SourceError, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source
from flowsource.sources.history import hold_rewritten
from flowsource.watch.backoff import CEILING, UNTIL_FIRST_SUCCESS, jittered, poll_delay
from flowsource.watch.followed import Followed
from flowsource.watch.latest import Latest
from flowsource.watch.patience import probing
from flowsource.watch.status import SourceStatus

logger = logging.getLogger(__name__)

# A remote may ask us to stay away for longer than we would by ourselves, but not for as long as it likes.
LONGEST_RETRY_AFTER = 4 * CEILING
_LISTEN_AGAIN = timedelta(seconds=1)
_LISTEN_AGAIN_CEILING = timedelta(minutes=1)

OnSnapshot = Callable[[Source, Snapshot], Awaitable[None]]
OnStatus = Callable[[SourceStatus, SourceStatus], None]


class Watcher:
    """Keeps the sources of one key fresh, with one exchange per poll however many there are.

    `known` is what was learned of each source before, in the order of `sources`. `on_snapshot` is called for each new
    snapshot of a source; `on_status` with the status of a source before and after, whenever its state or reason
    changed, and at the beginning for each that is not in order.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        known: Sequence[Latest],
        cache: SnapshotCache,
        *,
        on_snapshot: OnSnapshot,
        on_status: OnStatus,
    ) -> None:
        self._sources = list(sources)
        self._followed = [Followed(source, before) for source, before in zip(sources, known, strict=True)]
        self._asked_at = min(entry.asked_at for entry in known)
        self._has_succeeded = not any(entry.is_stale for entry in known)
        self._failures = 0
        self._retry_after = max((_wait_asked_for(entry.failure) for entry in known), default=0.0)
        self._cache, self._on_snapshot, self._on_status = cache, on_snapshot, on_status
        self._hinted = anyio.Event()

    @property
    def statuses(self) -> list[SourceStatus]:
        """How each of the sources is, in their order."""
        return [entry.status for entry in self._followed]

    def hint(self) -> None:
        """Look now rather than at the next poll. The hint itself is not believed."""
        for entry in self._followed:
            entry.try_again()
        self._hinted.set()

    async def run(self) -> None:
        """Watch until cancelled; nothing that a source says or raises ends it."""
        for entry in self._followed:
            if not entry.is_in_order:
                self._on_status(SourceStatus(label=entry.status.label, since=entry.status.since), entry.status)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen)
            while True:
                until = self._asked_at + self.delay()
                with anyio.move_on_after(max(0.0, until - time.monotonic())):
                    await self._hinted.wait()
                self._hinted = anyio.Event()
                self._asked_at = time.monotonic()
                await self.poll_once()

    async def _listen(self) -> None:
        """Take each notice of the source for a hint. Notices that end, or fail, are asked for again."""
        for failures in itertools.count():
            try:
                notices = self._sources[0].notices(anyio.Event())
                if notices is None:
                    return
                async with aclosing(notices):
                    async for _ in notices:
                        self.hint()
            except Exception:  # It would end everything else that is served here.
                logger.exception("listening to %s failed", self._sources[0].label)
            # Nobody knows what was not heard.
            self.hint()
            delay = poll_delay(failures, every=_LISTEN_AGAIN, ceiling=_LISTEN_AGAIN_CEILING)
            await anyio.sleep(delay.total_seconds())

    def delay(self) -> float:
        """Seconds from the last poll to the next, jitter included; infinite where there is none without a hint."""
        every, failures = self._interval(), self._failures
        if every is None:
            # Read once: which is over when it was read.
            if all(entry.is_in_order for entry in self._followed):
                return math.inf
            every, failures = UNTIL_FIRST_SUCCESS, max(entry.status.failures for entry in self._followed)
        elif not self._has_succeeded:
            every = min(every, UNTIL_FIRST_SUCCESS)
        return max(jittered(poll_delay(failures, every=every), random.random()), self._retry_after)

    def _interval(self) -> timedelta | None:
        return min((s.pull_interval for s in self._sources if s.pull_interval is not None), default=None)

    async def poll_once(self) -> None:
        """Ask the remote once, and take over what is new."""
        self._retry_after = 0.0
        try:
            with probing(self._sources[0].label):
                answers = await self._sources[0].resolve_together(self._sources)
            answered = list(zip(self._followed, answers, strict=True))
        except Exception as error:
            self._failures += 1
            failure = self._as_source_error(error)
            for entry in self._followed:
                self._note_failure(entry, failure)
            return
        self._failures, self._has_succeeded = 0, True
        for entry, answer in answered:
            await self._follow(entry, answer)

    async def _follow(self, entry: Followed, answer: Revision | SourceError) -> None:
        """Bring one source to what the remote answered for it; that this fails is no matter of the others."""
        if isinstance(answer, SourceError):
            self._note_failure(entry, answer)
        elif not entry.is_waiting_for(answer):
            try:
                snapshot = entry.snapshot
                if answer != snapshot.revision:
                    await hold_rewritten(entry.source, answer, taken=snapshot.revision)
                    snapshot = await self._take_over(entry.source, answer)
            except Exception as error:
                self._note_failure(entry, self._as_source_error(error), wanted=answer)
            else:
                before = entry.status
                entry.succeeded(snapshot)
                self._tell(before, entry.status)

    async def _take_over(self, source: Source, revision: Revision) -> Snapshot:
        snapshot = await self._cache.ensure(source, revision)
        if not snapshot.is_mounted:
            await self._cache.remember_tip(source, snapshot.revision)
        await self._on_snapshot(source, snapshot)
        return snapshot

    def _note_failure(self, entry: Followed, failure: SourceError, *, wanted: Revision | None = None) -> None:
        self._retry_after = max(self._retry_after, _wait_asked_for(failure))
        before = entry.status
        entry.failed(failure, wanted=wanted)
        self._tell(before, entry.status)

    def _as_source_error(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        # A watcher that ends is a source that silently goes stale.
        logger.error("watching %s failed", self._sources[0].label, exc_info=error)
        return SourceUnavailable(f"{type(error).__name__}: {error}")

    def _tell(self, before: SourceStatus, after: SourceStatus) -> None:
        if (before.state, before.reason) != (after.state, after.reason):
            self._on_status(before, after)


def _wait_asked_for(failure: SourceError | None) -> float:
    """The seconds that a remote asked us to wait, within reason; 0 if it did not."""
    asked = failure.retry_after if isinstance(failure, SourceUnavailable) else None
    # A number of seconds until here: what a remote sends may be longer than any timedelta.
    return min(asked, LONGEST_RETRY_AFTER.total_seconds()) if asked is not None and asked > 0 else 0.0
