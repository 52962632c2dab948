"""The watcher of a source: polls its remote, fetches what is new, and hands on each new snapshot."""

from __future__ import annotations

import itertools
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import anyio

from flowsource.errors import SourceError, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.source_status import SourceStatus
from flowsource.sources.base import Source
from flowsource.sources.history import hold_rewritten
from flowsource.store.values import SourceReport
from flowsource.watch.backoff import CEILING, UNTIL_FIRST_SUCCESS, jittered, poll_delay
from flowsource.watch.followed import Followed
from flowsource.watch.history import look_back
from flowsource.watch.hosts import Host, address_of
from flowsource.watch.latest import Latest
from flowsource.watch.patience import PROBE_DEADLINE, probing
from flowsource.watch.stages import Stages
from flowsource.watch.status import while_paused
from flowsource.watch.watchdog import Silence, Watchdog

logger = logging.getLogger(__name__)

# A remote may ask us to stay away for longer than we would by ourselves, but not for as long as it likes.
LONGEST_RETRY_AFTER = 4 * CEILING
# Resolving ends by itself at its deadline, unless it hangs where nothing can end it.
_RESOLVE_LIMIT = PROBE_DEADLINE + timedelta(seconds=15)
# A source has its own, shorter rules for a remote that goes silent: this is for what it did not think of. It counts
# from when the fetch last told how far it is.
_FETCH_LIMIT = timedelta(minutes=15)
_LISTEN_AGAIN = timedelta(seconds=1)
_LISTEN_AGAIN_CEILING = timedelta(minutes=1)

OnSnapshot = Callable[[Source, Snapshot], Awaitable[None]]
OnStatus = Callable[[SourceStatus, SourceStatus], None]
OnNews = Callable[[Sequence[SourceReport]], None]
_Moved = list[tuple[Followed, Revision]]


class Watcher:
    """Keeps the sources of one key fresh, with one exchange per poll however many there are.

    `known` is what was learned of each source before, in the order of `sources`. `on_snapshot` is called for each new
    snapshot of a source; `on_status` with the status of a source before and after, whenever its state or reason
    changed, and at the beginning for each that is not in order. `host` is shared by all watchers that ask there.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        known: Sequence[Latest],
        cache: SnapshotCache,
        *,
        on_snapshot: OnSnapshot,
        on_status: OnStatus,
        host: Host | None = None,
    ) -> None:
        self._sources = list(sources)
        self._followed = [Followed(source, before) for source, before in zip(sources, known, strict=True)]
        self._asked_at = min(entry.asked_at for entry in known)
        self._looked_at = self._due_at = self._asked_at
        self._has_succeeded = not any(entry.is_stale for entry in known)
        self._failures = 0
        self._retry_after = max((_wait_asked_for(entry.failure) for entry in known), default=0.0)
        self._cache, self._on_snapshot, self._on_status = cache, on_snapshot, on_status
        self._on_news: OnNews = _keep_to_yourself
        self._host = host or Host()
        self._host.leave_alone(self._retry_after)
        self._paused_at: datetime | None = None
        self._hint: str | None = None
        self._hints = self._answered = 0
        self._stirred = anyio.Event()
        self._polled = anyio.Event()

    @property
    def key(self) -> str:
        """The key of all its sources."""
        return self._sources[0].key

    @property
    def statuses(self) -> list[SourceStatus]:
        """How each of the sources is, in their order."""
        return [self._shown(entry) for entry in self._followed]

    @property
    def asked_at(self) -> float:
        """When the remote was asked last, by `time.monotonic`: what is handed on was its answer then."""
        return self._asked_at

    def reports(self) -> list[SourceReport]:
        """What there is to tell of each of the sources, in their order."""
        return [
            SourceReport(
                key=self.key,
                selector=entry.source.selector,
                address=address_of(entry.source),
                status=self._shown(entry),
                revision=entry.snapshot.revision,
                poll=entry.poll,
                answered=self._answered,
            )
            for entry in self._followed
        ]

    def hint(self, why: str = "a hint", *, number: int = 0) -> None:
        """Look now rather than at the next poll, unless paused. The hint itself is not believed.

        Hints that come before that look has begun are one. `number` is how many the store has counted.
        """
        self._hints = max(self._hints, number)
        if self._paused_at is None:
            for entry in self._followed:
                entry.try_again()
            self._hint = why
            self._stirred.set()

    async def look(self, why: str) -> None:
        """Have the remote asked, and return once it has answered, or failed to; not while paused, when it never is."""
        begun_at = time.monotonic()
        self.hint(why)
        while self._looked_at < begun_at:
            await self._polled.wait()

    def set_paused(self, since: datetime | None) -> None:
        """Have a person's pause begin, or with None end with a look; the same again changes nothing."""
        if (since is None) == (self._paused_at is None):
            return
        before = self.statuses
        self._paused_at, self._hint = since, None
        for old, new in zip(before, self.statuses, strict=True):
            self._on_status(old, new)
        if since is None:
            self.hint("the end of its pause")
        self._on_news(self.reports())

    async def run(self, on_news: OnNews | None = None) -> None:
        """Watch until cancelled; nothing that a source says or raises ends it.

        `on_news` is given a report of each source at the beginning, after each poll, and when it was paused.
        """
        self._on_news = on_news or self._on_news
        for entry in self._followed:
            if not entry.is_in_order and self._paused_at is None:
                self._on_status(SourceStatus(label=entry.status.label, since=entry.status.since), entry.status)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen)
            watchdog = Watchdog(tasks)
            self._plan_next()
            while True:
                asked = await self._until_wanted()
                self._asked_at = time.monotonic()
                moved = await self._poll(asked, watchdog)
                self._looked_at = self._asked_at
                self._polled.set()
                self._polled = anyio.Event()
                self._plan_next()
                await self._look_back(moved, watchdog)

    async def poll_once(self) -> None:
        """Ask the remote once, and take over what is new."""
        async with anyio.create_task_group() as tasks:
            watchdog = Watchdog(tasks)
            await self._look_back(await self._poll("a call", watchdog), watchdog)

    async def _listen(self) -> None:
        """Take each notice of the source for a hint."""
        async with anyio.create_task_group() as tasks:
            stop = anyio.Event()
            tasks.start_soon(_set_at_the_end, stop)
            await self._hear(stop)
            tasks.cancel_scope.cancel()

    async def _hear(self, stop: anyio.Event) -> None:
        """Notices that end, or fail, are asked for again; all of them end when `stop` is set."""
        for failures in itertools.count():
            try:
                notices = self._sources[0].notices(stop)
                if notices is None:
                    return
                async with aclosing(notices):
                    async for _ in notices:
                        self.hint("a change that was noticed")
            except Exception:  # It would end everything else that is served here.
                logger.exception("listening to %s failed", self._sources[0].label)
            # Nobody knows what was not heard.
            self.hint("a change that may have been missed")
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

    def _plan_next(self) -> None:
        """Decide when to look again, and tell."""
        self._due_at = self._asked_at + self.delay()
        at = _instant(max(self._due_at, self._host.held_until))
        for entry in self._followed:
            entry.is_due_at(at)
        self._on_news(self.reports())

    async def _until_wanted(self) -> str:
        """Wait for the next poll to be due, or for a hint; what it was. The host is left alone as it asked for."""
        while True:
            self._stirred = anyio.Event()
            due_at = self._due_at if self._hint is None else 0.0
            rest = max(due_at, self._host.held_until) - time.monotonic() if self._paused_at is None else math.inf
            if rest <= 0:
                asked, self._hint = self._hint or "its interval", None
                return asked
            with anyio.move_on_after(rest):
                await self._stirred.wait()

    async def _poll(self, asked: str, watchdog: Watchdog) -> _Moved:
        """Ask once for all, and bring each to what was answered; those that moved on, with where they were."""
        hints, stages, moved = self._hints, Stages(asked), []
        self._retry_after = 0.0
        try:
            answers = await self._ask(stages, watchdog)
            answered = list(zip(self._followed, answers, strict=True))
        except Exception as error:
            self._failures += 1
            failure = self._as_source_error(error)
            for entry in self._followed:
                self._note_failure(entry, failure)
                entry.poll = stages.poll(str(failure))
        else:
            self._failures, self._has_succeeded = 0, True
            for entry, answer in answered:
                before, branch = entry.snapshot.revision, stages.branch()
                entry.poll = branch.poll(await self._follow(entry, answer, branch, watchdog))
                if entry.snapshot.revision != before:
                    moved.append((entry, before))
        self._answered = hints
        return moved

    async def _ask(self, stages: Stages, watchdog: Watchdog) -> list[Revision | SourceError]:
        first = self._sources[0]

        async def resolve() -> list[Revision | SourceError]:
            with probing(first.label):
                return await first.resolve_together(self._sources)

        with stages.stage("wait for its turn"):
            await self._host.take_turn()
        try:
            with stages.stage("resolve"):
                return await watchdog.wait_for(
                    resolve, what=f"resolving {first.label}", silence=Silence(), limit=_RESOLVE_LIMIT
                )
        finally:
            self._host.give_back_turn()

    async def _follow(self, entry: Followed, answer: Revision | SourceError, stages: Stages, watchdog: Watchdog) -> str:
        """Bring one source to what the remote answered for it, and say what was found; that this fails is no matter
        of the others."""
        if isinstance(answer, SourceError):
            self._note_failure(entry, answer)
            return str(answer)
        if entry.is_waiting_for(answer):
            return f"{answer.short}, which could not be had a moment ago"
        try:
            is_new = answer != entry.snapshot.revision
            snapshot = await self._take_over(entry, answer, stages, watchdog) if is_new else entry.snapshot
        except Exception as error:
            failure = self._as_source_error(error)
            self._note_failure(entry, failure, wanted=answer)
            return str(failure)
        before = entry.status
        entry.succeeded(snapshot)
        self._tell(before, entry.status)
        return snapshot.revision.short if is_new else "nothing new"

    async def _take_over(self, entry: Followed, revision: Revision, stages: Stages, watchdog: Watchdog) -> Snapshot:
        source, taken, silence = entry.source, entry.snapshot.revision, Silence()

        async def fetch() -> Snapshot:
            await hold_rewritten(source, revision, taken=taken)
            snapshot = await self._cache.ensure(source, revision, report=silence.heard)
            if not snapshot.is_mounted:
                await self._cache.remember_tip(source, snapshot.revision)
            return snapshot

        async with self._host.fetching:
            silence.heard()
            with stages.stage("fetch and publish"):
                what = f"fetching {revision.short} of {source.label}"
                snapshot = await watchdog.wait_for(fetch, what=what, silence=silence, limit=_FETCH_LIMIT)
        with stages.stage("hand on"):
            await self._on_snapshot(source, snapshot)
        return snapshot

    async def _look_back(self, moved: _Moved, watchdog: Watchdog) -> None:
        """Tell of what was rewritten rather than continued; after what is new was handed on, never in its way."""
        for entry, before in moved:
            rewrite = await look_back(entry.source, entry.snapshot.revision, before, watchdog)
            if rewrite is not None:
                entry.rewritten(rewrite)
                self._on_news(self.reports())

    def _note_failure(self, entry: Followed, failure: SourceError, *, wanted: Revision | None = None) -> None:
        wait = _wait_asked_for(failure)
        self._host.leave_alone(wait)
        self._retry_after = max(self._retry_after, wait)
        before = entry.status
        entry.failed(failure, wanted=wanted)
        self._tell(before, entry.status)

    def _as_source_error(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        # A watcher that ends is a source that silently goes stale.
        logger.error("watching %s failed", self._sources[0].label, exc_info=error)
        return SourceUnavailable(f"{type(error).__name__}: {error}")

    def _shown(self, entry: Followed) -> SourceStatus:
        return entry.status if self._paused_at is None else while_paused(entry.status, since=self._paused_at)

    def _tell(self, before: SourceStatus, after: SourceStatus) -> None:
        if (before.state, before.reason) != (after.state, after.reason) and self._paused_at is None:
            self._on_status(before, after)


def _keep_to_yourself(reports: Sequence[SourceReport]) -> None:
    """What becomes of news that nobody asked for."""


def _instant(monotonic: float) -> datetime | None:
    """The instant at which the monotonic clock will be there; None when that is beyond any calendar."""
    try:
        return datetime.now(UTC) + timedelta(seconds=max(0.0, monotonic - time.monotonic()))
    except OverflowError:
        return None


def _wait_asked_for(failure: SourceError | None) -> float:
    """The seconds that a remote asked us to wait, within reason; 0 if it did not."""
    asked = failure.retry_after if isinstance(failure, SourceUnavailable) else None
    # A number of seconds until here: what a remote sends may be longer than any timedelta.
    return min(asked, LONGEST_RETRY_AFTER.total_seconds()) if asked is not None and asked > 0 else 0.0


async def _set_at_the_end(stop: anyio.Event) -> None:
    """Set `stop` when this is cancelled: a thread that waits for notices hears of nothing else."""
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()
