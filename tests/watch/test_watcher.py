"""The watcher of a source: one exchange for all who follow it, and no answer that ends it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from flowsource.errors import AuthenticationFailed, RefNotFound, SourceError, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source
from flowsource.watch.backoff import CEILING, jittered, poll_delay
from flowsource.watch.latest import Latest, latest
from flowsource.watch.status import SourceState, SourceStatus, after_failure, after_success
from flowsource.watch.watcher import Watcher

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)


def revision(number: int) -> Revision:
    return Revision(id=f"{number:040x}")


class Remote:
    """What a told source answers next, and how often it was asked."""

    def __init__(self) -> None:
        self.answer: Revision | Exception = revision(1)
        self.asked = 0
        self.followed = 0
        self.fetched: list[str] = []


class ToldSource:
    """A source of our own seam whose remote the test tells what to answer."""

    label = "told"
    mount: Path | None = None
    secret_variables: frozenset[str] = frozenset()

    def __init__(self, remote: Remote, *, selector: str = "branch main", key: str = "told", every: float = 60) -> None:
        self.remote, self.selector, self.key = remote, selector, key
        self.pull_interval: timedelta | None = timedelta(seconds=every)

    def notices(self, stop: anyio.Event) -> None:
        """None: it is to be polled."""

    async def resolve(self) -> Revision:
        [answer] = await self.resolve_together([self])
        if isinstance(answer, SourceError):
            raise answer
        return answer

    async def resolve_together(self, sources: Sequence[Source]) -> list[Revision | SourceError]:
        self.remote.asked += 1
        self.remote.followed = len(sources)
        answer = self.remote.answer
        if isinstance(answer, RefNotFound):
            return [answer for _ in sources]
        if isinstance(answer, Exception):
            raise answer
        return [answer for _ in sources]

    async def fetch(self, revision: Revision, into: Path, *, workspace: Path) -> Revision:
        self.remote.fetched.append(revision.id)
        into.mkdir(exist_ok=True)
        (into / "flows.py").write_text(f"N = {revision.id!r}")
        return revision


class Watched:
    """A watcher over told sources, with what it handed on."""

    def __init__(self, cache: SnapshotCache, sources: list[ToldSource], known: list[Latest]) -> None:
        self.snapshots: list[tuple[str, str]] = []
        self.statuses: list[SourceState] = []
        self.watcher = Watcher(sources, known, cache, on_snapshot=self._take, on_status=self._note)

    async def _take(self, source: Source, snapshot: Snapshot) -> None:
        self.snapshots.append((source.selector, snapshot.revision.id))

    def _note(self, before: SourceStatus, after: SourceStatus) -> None:
        self.statuses.append(after.state)


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def cache(tmp_path: Path) -> SnapshotCache:
    return SnapshotCache(tmp_path / "cache")


async def watch(cache: SnapshotCache, *sources: ToldSource) -> Watched:
    known = [await latest(source, cache) for source in sources]
    return Watched(cache, list(sources), known)


async def test_an_unchanged_remote_is_asked_once_and_nothing_is_fetched(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote))
    asked, fetched = remote.asked, list(remote.fetched)
    await watched.watcher.poll_once()
    assert (remote.asked - asked, remote.fetched, watched.snapshots) == (1, fetched, [])


async def test_all_who_follow_a_key_share_one_exchange_and_each_hears_of_its_own(
    remote: Remote, cache: SnapshotCache
) -> None:
    watched = await watch(cache, ToldSource(remote), ToldSource(remote, selector="branch next"))
    asked = remote.asked
    remote.answer = revision(2)
    await watched.watcher.poll_once()
    assert (remote.asked - asked, remote.followed) == (1, 2)
    assert watched.snapshots == [("branch main", revision(2).id), ("branch next", revision(2).id)]
    assert remote.fetched.count(revision(2).id) == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SourceUnavailable("away"), SourceState.DEGRADED),
        (AuthenticationFailed("who are you"), SourceState.AUTH_FAILED),
        (RefNotFound("branch main", "told"), SourceState.MISSING),
        (ZeroDivisionError("a fault of ours"), SourceState.DEGRADED),
    ],
)
async def test_no_answer_ends_the_watch_and_recovery_is_told(
    remote: Remote, cache: SnapshotCache, error: Exception, state: SourceState
) -> None:
    watched = await watch(cache, ToldSource(remote))
    remote.answer = error
    for _ in range(3):
        await watched.watcher.poll_once()
    assert watched.statuses == [state], "told once, not at each poll"
    assert watched.watcher.status.failures == 3
    remote.answer = revision(2)
    await watched.watcher.poll_once()
    assert watched.statuses == [state, SourceState.OK]
    assert watched.snapshots == [("branch main", revision(2).id)]


async def test_a_remote_that_asks_us_to_wait_is_obeyed(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote))
    remote.answer = SourceUnavailable("busy", retry_after=120.0)
    assert await watched.watcher.poll_once() == 120.0


async def test_a_hint_wakes_the_watcher_long_before_its_interval(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote, every=3600))
    remote.answer = revision(2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched.watcher.run)
        watched.watcher.hint()
        with anyio.fail_after(10):
            while not watched.snapshots:  # noqa: ASYNC110 - the watcher hands on, and sets no event for us
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()


async def test_polls_come_by_themselves_and_the_first_waits_for_its_interval(
    remote: Remote, cache: SnapshotCache
) -> None:
    watched = await watch(cache, ToldSource(remote, every=0.2))
    asked, begun = remote.asked, time.monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched.watcher.run)
        with anyio.fail_after(10):
            while remote.asked < asked + 3:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    assert time.monotonic() - begun >= 2 * 0.8 * 0.2


async def test_a_cold_start_takes_the_last_revision_from_disk(
    remote: Remote, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await latest(ToldSource(remote), cache)
    remote.answer = SourceUnavailable("away")
    # As another process, which knows nothing but the disk.
    monkeypatch.setattr("flowsource.watch.latest._seen", {})
    elsewhere = SnapshotCache(cache.root)
    stale = await latest(ToldSource(remote), elsewhere)
    assert stale.is_stale
    assert stale.snapshot.revision == revision(1)
    with pytest.raises(SourceUnavailable, match="away"):
        await latest(ToldSource(remote, selector="branch other"), elsewhere)


async def test_what_was_learned_a_moment_ago_is_not_asked_again(remote: Remote, cache: SnapshotCache) -> None:
    for _ in range(10):
        await latest(ToldSource(remote), cache)
    assert remote.asked == 1


async def test_the_delay_doubles_with_each_failure_up_to_a_ceiling() -> None:
    minute = timedelta(minutes=1)
    delays = [poll_delay(failures, every=minute) for failures in range(8)]
    assert delays == [minute * min(2**failures, 15) for failures in range(8)]
    assert poll_delay(10_000, every=minute) == CEILING
    assert poll_delay(5, every=timedelta(hours=2)) == timedelta(hours=2)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.999])
async def test_jitter_is_a_fifth_at_most(chance: float) -> None:
    assert timedelta(seconds=48) <= jittered(timedelta(minutes=1), chance) <= timedelta(seconds=72)


async def test_a_state_keeps_the_instant_it_began() -> None:
    new = SourceStatus(label="x", since=START)
    first = after_failure(new, SourceUnavailable("a"), at=START + timedelta(1))
    second = after_failure(first, SourceUnavailable("b"), at=START + timedelta(2))
    assert (second.since, second.reason, second.failures) == (START + timedelta(1), "b", 2)
    well = after_success(second, at=START + timedelta(3))
    assert (well.since, well.reason, well.failures) == (START + timedelta(3), None, 0)
    assert after_success(well, at=START + timedelta(4)).since == START + timedelta(3)
