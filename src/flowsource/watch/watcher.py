"""The watcher of a source: polls its remote, fetches what is new, and hands on each new snapshot."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import anyio

from flowsource.errors import SourceError, SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source
from flowsource.watch.backoff import CEILING, UNTIL_FIRST_SUCCESS, jittered, poll_delay
from flowsource.watch.latest import Latest
from flowsource.watch.status import SourceState, SourceStatus, after_failure, after_success

logger = logging.getLogger(__name__)

# A watcher waits for its remote, but not for ever: one that never finishes an answer is as good as away.
PROBE_DEADLINE = timedelta(seconds=60)

OnSnapshot = Callable[[Source, Snapshot], Awaitable[None]]
OnStatus = Callable[[SourceStatus, SourceStatus], None]


class Watcher:
    """Keeps the sources of one key fresh, with one exchange per poll however many there are.

    `known` is what was learned of each source before, in the order of `sources`. `on_snapshot` is called for each new
    snapshot of a source; `on_status` with the status before and after whenever its state or reason changed.
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
        self._current = [entry.snapshot for entry in known]
        self._asked_at = min(entry.asked_at for entry in known)
        self._has_succeeded = not any(entry.is_stale for entry in known)
        self._cache, self._on_snapshot, self._on_status = cache, on_snapshot, on_status
        self._hinted = anyio.Event()
        state = SourceState.OK if self._has_succeeded else SourceState.DEGRADED
        self.status = SourceStatus(label=sources[0].label, state=state, since=datetime.now(UTC))

    def hint(self) -> None:
        """Look now rather than at the next poll. The hint itself is not believed."""
        self._hinted.set()

    async def run(self) -> None:
        """Watch until cancelled; no answer of a remote ends it."""
        notices = self._sources[0].notices(anyio.Event())
        if notices is not None:
            await self._follow(notices)
        elif (every := self._interval()) is not None:
            await self._poll(every)

    def _interval(self) -> timedelta | None:
        return min((s.pull_interval for s in self._sources if s.pull_interval is not None), default=None)

    async def _poll(self, every: timedelta) -> None:
        retry_after: float | None = None
        while True:
            delay = self._delay(every, retry_after)
            until = self._asked_at + delay.total_seconds()
            with anyio.move_on_after(max(0.0, until - time.monotonic())):
                await self._hinted.wait()
            self._hinted = anyio.Event()
            self._asked_at = time.monotonic()
            retry_after = await self.poll_once()

    def _delay(self, every: timedelta, retry_after: float | None) -> timedelta:
        if not self._has_succeeded:
            every = min(every, UNTIL_FIRST_SUCCESS)
        delay = jittered(poll_delay(self.status.failures, every=every), random.random())
        return max(delay, min(timedelta(seconds=retry_after), 4 * CEILING)) if retry_after else delay

    async def poll_once(self) -> float | None:
        """Ask the remote once and take over what is new; returns the seconds it asked us to wait, if it did."""
        try:
            with anyio.fail_after(PROBE_DEADLINE.total_seconds()):
                answers = await self._sources[0].resolve_together(self._sources)
            failure = None
            for place, answer in enumerate(answers):
                if isinstance(answer, SourceError):
                    failure = failure or answer
                elif answer != self._current[place].revision:
                    await self._take_over(place, await self._cache.ensure(self._sources[place], answer))
        except SourceError as error:
            failure = error
        except TimeoutError:
            failure = SourceUnavailable(f"it gave no whole answer within {PROBE_DEADLINE.total_seconds():g} s")
        except Exception as error:  # A watcher that ends is a source that silently goes stale.
            logger.exception("watching %s failed", self.status.label)
            failure = SourceUnavailable(f"{type(error).__name__}: {error}")
        self._note(failure)
        return failure.retry_after if isinstance(failure, SourceUnavailable) else None

    async def _take_over(self, place: int, snapshot: Snapshot) -> None:
        if not snapshot.is_mounted:
            await self._cache.remember_tip(self._sources[place], snapshot.revision)
        self._current[place] = snapshot
        await self._on_snapshot(self._sources[place], snapshot)

    async def _follow(self, notices: AsyncGenerator[object]) -> None:
        async with aclosing(notices):
            async for _ in notices:
                await self.poll_once()

    def _note(self, failure: SourceError | None) -> None:
        before, now = self.status, datetime.now(UTC)
        if failure is None:
            self._has_succeeded = True
            self.status = after_success(before, at=now)
        else:
            self.status = after_failure(before, failure, at=now)
        if (before.state, before.reason) != (self.status.state, self.status.reason):
            self._on_status(before, self.status)
