"""The watcher of a source: one exchange for all who follow it, and no answer that ends it."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from flowsource.errors import (
    AuthenticationFailed,
    RefNotFound,
    SourceError,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
    UnsafeTree,
)
from flowsource.snapshots.cache import SnapshotCache
from flowsource.source_status import SourceState, SourceStatus
from flowsource.watch.backoff import CEILING, jittered, poll_delay
from flowsource.watch.latest import latest
from flowsource.watch.status import after_failure, after_success
from tests.support.waiting import until
from tests.watch.told import Remote, ToldSource, revision, watch

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def as_another_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forgets all that this process has learned, so that only what is on disk is known."""
    return lambda: monkeypatch.setattr("flowsource.watch.latest._seen", {})


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
    assert [status.failures for status in watched.watcher.statuses] == [3]
    remote.answer = revision(2)
    await watched.watcher.poll_once()
    assert watched.statuses == [state, SourceState.OK]
    assert watched.snapshots == [("branch main", revision(2).id)]


@pytest.mark.parametrize(
    ("asked", "least", "most"), [(120.0, 120, 180), (1e20, 3600, 3600), (math.inf, 3600, 3600), (math.nan, 0, 180)]
)
async def test_a_remote_that_asks_us_to_wait_is_obeyed_within_reason(
    remote: Remote, cache: SnapshotCache, asked: float, least: float, most: float
) -> None:
    watched = await watch(cache, ToldSource(remote))
    remote.answer = SourceUnavailable("busy", retry_after=asked)
    await watched.watcher.poll_once()
    assert least <= watched.watcher.delay() <= most
    remote.answer = revision(1)
    await watched.watcher.poll_once()
    assert watched.watcher.delay() <= 72, "it asked once, not for ever"


async def test_an_interval_longer_than_anybody_lives_is_only_long(remote: Remote, cache: SnapshotCache) -> None:
    source = ToldSource(remote)
    source.pull_interval = timedelta.max
    watched = await watch(cache, source)
    remote.answer = SourceUnavailable("away")
    for _ in range(20):
        await watched.watcher.poll_once()
    assert watched.watcher.delay() > 10**12


async def test_a_hint_wakes_the_watcher_long_before_its_interval(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote, every=3600))
    remote.answer = revision(2)
    async with watched.running():
        watched.watcher.hint()
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])


async def test_a_source_that_is_read_once_is_read_again_on_a_hint_alone(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote, every=None))
    assert watched.watcher.delay() == math.inf
    remote.answer = revision(2)
    async with watched.running():
        watched.watcher.hint()
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])


async def test_a_ref_that_is_gone_concerns_nobody_who_follows_another(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote, selector="branch gone"), ToldSource(remote))
    remote.answer = revision(2)
    remote.answers["branch gone"] = RefNotFound("branch gone", "told")
    for _ in range(5):
        await watched.watcher.poll_once()
    assert watched.snapshots == [("branch main", revision(2).id)]
    assert [(status.label, status.state) for status in watched.told] == [("told (branch gone)", SourceState.MISSING)]
    assert [status.state for status in watched.watcher.statuses] == [SourceState.MISSING, SourceState.OK]
    assert watched.watcher.delay() <= 72, "the exchange succeeded: its interval is kept"


@pytest.mark.parametrize("error", [UnsafeTree("no"), SourceUnavailable("away"), ZeroDivisionError("a fault of ours")])
async def test_a_revision_that_cannot_be_had_concerns_nobody_who_follows_another(
    remote: Remote, cache: SnapshotCache, error: Exception
) -> None:
    watched = await watch(cache, ToldSource(remote, selector="branch bad"), ToldSource(remote))
    remote.answers = {"branch bad": revision(2), "branch main": revision(3)}
    remote.unfetchable[revision(2)] = error
    await watched.watcher.poll_once()
    assert watched.snapshots == [("branch main", revision(3).id)]
    assert [status.state is SourceState.OK for status in watched.watcher.statuses] == [False, True]
    assert [status.label for status in watched.told] == ["told (branch bad)"]
    assert watched.watcher.delay() <= 72


async def test_a_revision_that_cannot_be_had_is_not_fetched_at_each_poll_but_on_a_hint(
    remote: Remote, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowsource.watch.followed.UNTIL_FIRST_SUCCESS", timedelta(hours=1))
    watched = await watch(cache, ToldSource(remote))
    remote.answer = revision(2)
    remote.unfetchable[revision(2)] = UnsafeTree("no")
    for _ in range(5):
        await watched.watcher.poll_once()
    assert (remote.fetched.count(revision(2).id), watched.statuses) == (1, [SourceState.DEGRADED])
    watched.watcher.hint()
    await watched.watcher.poll_once()
    assert remote.fetched.count(revision(2).id) == 2
    remote.answer = SourceUnavailable("away")
    await watched.watcher.poll_once()
    remote.answer = revision(2)
    await watched.watcher.poll_once()
    assert watched.told[-1].reason == "no", "what stands in the way is told again once the remote is back"
    remote.answer = revision(3)
    await watched.watcher.poll_once()
    assert watched.snapshots == [("branch main", revision(3).id)], "a newer one does not wait for it"


async def test_a_revision_that_could_not_be_had_is_fetched_again_once_its_delay_is_over(
    remote: Remote, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowsource.watch.followed.UNTIL_FIRST_SUCCESS", timedelta(0))
    watched = await watch(cache, ToldSource(remote))
    remote.answer = revision(2)
    remote.unfetchable[revision(2)] = SourceUnavailable("away")
    await watched.watcher.poll_once()
    del remote.unfetchable[revision(2)]
    await watched.watcher.poll_once()
    assert watched.snapshots == [("branch main", revision(2).id)]
    assert watched.statuses == [SourceState.DEGRADED, SourceState.OK]


async def test_a_remote_that_never_finishes_an_answer_is_as_good_as_away(
    remote: Remote, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = await watch(cache, ToldSource(remote))
    monkeypatch.setattr("flowsource.watch.patience.PROBE_DEADLINE", timedelta(milliseconds=10))
    remote.hangs = True
    await watched.watcher.poll_once()
    assert watched.statuses == [SourceState.DEGRADED]
    assert "gave no whole answer within 0.01 s" in str(watched.told[0].reason)


class NoticingSource(ToldSource):
    """A told source whose first notices end as the test says, and which then waits for the next."""

    def __init__(self, remote: Remote, ends: list[Exception | None]) -> None:
        super().__init__(remote, every=None)
        self.ends = ends
        self.edited = anyio.Event()

    async def notices(self, stop: anyio.Event) -> AsyncGenerator[object]:
        yield None
        if self.ends:
            end = self.ends.pop(0)
            if end is not None:
                raise end
            return
        await self.edited.wait()
        yield None


@pytest.mark.parametrize(
    "end", [SourceMissing("gone"), SourceInvalid("no"), OSError("no"), ZeroDivisionError("a fault of ours"), None]
)
async def test_notices_that_fail_or_end_are_asked_for_again(
    remote: Remote, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch, end: Exception | None
) -> None:
    monkeypatch.setattr("flowsource.watch.watcher._LISTEN_AGAIN", timedelta(milliseconds=1))
    source = NoticingSource(remote, [end, end])
    watched = await watch(cache, source)
    async with watched.running():
        await until(lambda: not source.ends)
        remote.answer = revision(2)
        source.edited.set()
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])


async def test_a_source_that_gives_no_notices_any_more_is_looked_at_all_the_same(
    remote: Remote, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowsource.watch.watcher._LISTEN_AGAIN", timedelta(milliseconds=1))
    source = ToldSource(remote, every=None)

    def notices(stop: anyio.Event) -> AsyncGenerator[object] | None:
        raise OSError("none left")

    monkeypatch.setattr(source, "notices", notices)
    watched = await watch(cache, source)
    async with watched.running():
        remote.answer = revision(2)
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])


async def test_polls_come_by_themselves_and_the_first_waits_for_its_interval(
    remote: Remote, cache: SnapshotCache
) -> None:
    watched = await watch(cache, ToldSource(remote, every=0.2))
    asked, begun = remote.asked, time.monotonic()
    async with watched.running():
        await until(lambda: remote.asked >= asked + 3)
    assert time.monotonic() - begun >= 2 * 0.8 * 0.2


FAILURES = [
    (SourceUnavailable("away"), SourceState.DEGRADED),
    (AuthenticationFailed("who are you"), SourceState.AUTH_FAILED),
    (SourceMissing("nothing there"), SourceState.MISSING),
    (RefNotFound("branch main", "told"), SourceState.MISSING),
    (SourceInvalid("it has moved"), SourceState.DEGRADED),
]


@pytest.mark.parametrize(("error", "state"), FAILURES)
async def test_a_cold_start_takes_the_last_revision_from_disk_whatever_the_reason_and_says_so(
    remote: Remote,
    cache: SnapshotCache,
    as_another_process: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: SourceError,
    state: SourceState,
) -> None:
    monkeypatch.setattr("flowsource.watch.watcher.UNTIL_FIRST_SUCCESS", timedelta(milliseconds=10))
    await latest(ToldSource(remote), cache)
    as_another_process()
    remote.answer = remote.answers["branch main"] = error
    watched = await watch(SnapshotCache(cache.root), ToldSource(remote, every=3600))
    [said] = [record.getMessage() for record in caplog.records if record.name == "flowsource.watch.latest"]
    assert "going on with 0000000, which was fetched before" in said
    assert str(error) in said
    async with watched.running():
        await until(lambda: watched.statuses == [state])
        assert watched.told[0].reason == str(error)
        del remote.answers["branch main"]
        remote.answer = revision(2)
        if isinstance(error, RefNotFound):
            # A remote that answers is asked again at its interval, whatever it said.
            watched.watcher.hint()
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])
    assert watched.statuses == [state, SourceState.OK]


@pytest.mark.parametrize(("error", "state"), FAILURES)
async def test_a_source_that_was_never_resolved_before_does_not_start(
    remote: Remote, cache: SnapshotCache, error: SourceError, state: SourceState
) -> None:
    await latest(ToldSource(remote), cache)
    remote.answer = remote.answers["branch other"] = error
    with pytest.raises(type(error)):
        await latest(ToldSource(remote, selector="branch other"), cache)


async def test_a_directory_that_is_used_in_place_does_not_start_from_what_was_kept(
    remote: Remote, cache: SnapshotCache, as_another_process: Callable[[], None], tmp_path: Path
) -> None:
    await latest(ToldSource(remote), cache)
    as_another_process()
    mounted = ToldSource(remote)
    mounted.mount = tmp_path
    remote.answer = SourceMissing("gone")
    with pytest.raises(SourceMissing):
        await latest(mounted, cache)


async def test_a_remote_that_never_finishes_an_answer_does_not_hold_up_a_start(
    remote: Remote, cache: SnapshotCache, as_another_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    await latest(ToldSource(remote), cache)
    as_another_process()
    monkeypatch.setattr("flowsource.watch.patience.PROBE_DEADLINE", timedelta(milliseconds=10))
    remote.hangs = True
    asked = remote.asked
    for _ in range(10):
        assert (await latest(ToldSource(remote), cache)).is_stale
    assert remote.asked - asked == 1, "it is waited for once, not for each deployment"
    with pytest.raises(SourceUnavailable, match=r"told \(branch other\) gave no whole answer within 0\.01 s"):
        await latest(ToldSource(remote, selector="branch other"), cache)


async def test_a_wait_that_was_asked_for_at_the_start_is_obeyed(
    remote: Remote, cache: SnapshotCache, as_another_process: Callable[[], None]
) -> None:
    await latest(ToldSource(remote), cache)
    as_another_process()
    remote.answer = SourceUnavailable("busy", retry_after=120.0)
    watched = await watch(cache, ToldSource(remote))
    assert watched.watcher.delay() == 120.0


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
    assert 48 <= jittered(timedelta(minutes=1), chance) <= 72


async def test_a_state_keeps_the_instant_it_began() -> None:
    new = SourceStatus(label="x", since=START)
    first = after_failure(new, SourceUnavailable("a"), at=START + timedelta(1))
    second = after_failure(first, SourceUnavailable("b"), at=START + timedelta(2))
    assert (second.since, second.reason, second.failures) == (START + timedelta(1), "b", 2)
    well = after_success(second, at=START + timedelta(3))
    assert (well.since, well.reason, well.failures) == (START + timedelta(3), None, 0)
    assert after_success(well, at=START + timedelta(4)).since == START + timedelta(3)
