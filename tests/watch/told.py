"""Sources of our own seam whose remote the test tells what to answer, and a watcher over them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio

from flowsource.errors import RefNotFound, SourceError
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.source_status import SourceState, SourceStatus
from flowsource.sources.base import Progress, Report, Source, resolve_alone, say_nothing
from flowsource.sources.history import Policy
from flowsource.sources.writing import TreeWriter
from flowsource.store.values import SourceReport
from flowsource.watch.hosts import Host
from flowsource.watch.latest import Latest, latest
from flowsource.watch.watcher import Watcher


def revision(number: int) -> Revision:
    """The revision of that number."""
    return Revision(id=f"{number:040x}")


class Remote:
    """What a told source answers next, to all or to one selector alone, and how often it was asked."""

    def __init__(self) -> None:
        self.answer: Revision | Exception = revision(1)
        self.answers: dict[str, Revision | SourceError] = {}
        self.unfetchable: dict[Revision, Exception] = {}
        self.hangs = False
        self.resolving_hangs: anyio.Event | None = None
        self.fetching_hangs: anyio.Event | None = None
        self.hanging = 0
        self.reports_for = 0.0
        self.history: dict[Revision, bool | Exception | None] = {}
        self.asked = 0
        self.followed = 0
        self.fetched: list[str] = []

    async def hang(self, let_go: anyio.Event | None) -> None:
        """Do as a thread does that waits for a disk which has gone: no cancellation reaches it."""
        if let_go is not None:
            self.hanging += 1
            with anyio.CancelScope(shield=True):
                await let_go.wait()
            self.hanging -= 1


class ToldSource:
    """A source of our own seam whose remote the test tells what to answer."""

    mount: Path | None = None
    secret_variables: frozenset[str] = frozenset()

    def __init__(
        self,
        remote: Remote,
        *,
        selector: str = "branch main",
        key: str = "told",
        every: float | None = 60,
        host: str = "",
    ) -> None:
        self.host, self.url = host, f"https://{host}/{key}.git" if host else ""
        self.remote, self.selector, self.key = remote, selector, key
        self.label = f"told ({selector})"
        self.pull_interval: timedelta | None = timedelta(seconds=every) if every is not None else None

    def notices(self, stop: anyio.Event) -> AsyncGenerator[object] | None:
        """None: it is to be polled."""
        return None

    async def resolve(self) -> Revision:
        return await resolve_alone(self)

    async def resolve_together(self, sources: Sequence[Source]) -> list[Revision | SourceError]:
        self.remote.asked += 1
        self.remote.followed = len(sources)
        if self.remote.hangs:
            await anyio.sleep_forever()
        await self.remote.hang(self.remote.resolving_hangs)
        answer = self.remote.answer
        if isinstance(answer, Exception) and not isinstance(answer, RefNotFound):
            raise answer
        return [self.remote.answers.get(source.selector, answer) for source in sources]

    async def fetch(
        self, revision: Revision, into: TreeWriter, *, workspace: Path, report: Report = say_nothing
    ) -> Revision:
        self.remote.fetched.append(revision.id)
        if error := self.remote.unfetchable.get(revision):
            raise error
        await self.remote.hang(self.remote.fetching_hangs)
        until = time.monotonic() + self.remote.reports_for
        while time.monotonic() < until:
            report(Progress(received=1, done=0))
            await anyio.sleep(0.02)
        into.add_file(b"flows.py", f"N = {revision.id!r}".encode())
        return revision

    policy: Policy = "follow"

    async def descends(self, new: Revision, old: Revision) -> bool | None:
        answer = self.remote.history.get(new)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Watched:
    """A watcher over told sources, with what it handed on and told."""

    def __init__(
        self, cache: SnapshotCache, sources: list[ToldSource], known: list[Latest], host: Host | None = None
    ) -> None:
        self.reports: list[Sequence[SourceReport]] = []
        self.snapshots: list[tuple[str, str]] = []
        self.told: list[SourceStatus] = []
        self.watcher = Watcher(sources, known, cache, on_snapshot=self._take, on_status=self._note, host=host)

    @property
    def statuses(self) -> list[SourceState]:
        return [status.state for status in self.told]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.watcher.run, self.reports.append)
            yield
            tasks.cancel_scope.cancel()

    async def _take(self, source: Source, snapshot: Snapshot) -> None:
        self.snapshots.append((source.selector, snapshot.revision.id))

    def _note(self, before: SourceStatus, after: SourceStatus) -> None:
        self.told.append(after)


async def watch(cache: SnapshotCache, *sources: ToldSource, host: Host | None = None) -> Watched:
    """A watcher of sources that were found a moment ago."""
    known = [await latest(source, cache) for source in sources]
    return Watched(cache, list(sources), known, host)
