"""Sources are kept fresh as the store says it is wanted, and the store knows how they are."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from flowsource.errors import SourceUnavailable, StoreUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.source_status import SourceState
from flowsource.store.protocol import Store
from flowsource.store.values import KnownSource, SourceReport, SourceWish
from flowsource.watch.keeping import keep_fresh
from flowsource.watch.recorder import Recorder, is_news
from tests.store.source_contract import POLL, REPORT
from tests.store.words import MINUTE, NOW, SECOND_REVISION
from tests.support.waiting import until
from tests.watch.told import Remote, ToldSource, Watched, revision, watch

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def kept(store: Store, *watched: Watched) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_fresh, [one.watcher for one in watched], store)
        yield
        tasks.cancel_scope.cancel()


async def until_known(store: Store, key: str, at: Revision = revision(1), **facts: object) -> KnownSource:
    """Wait until the store knows the source of that key at that revision, with these facts of its report's status."""
    while True:
        for known in await store.sources(now=NOW):
            report, status = known.report, known.report.status
            is_told = all(getattr(status, name) == fact for name, fact in facts.items())
            if (report.key, report.revision) == (key, at) and is_told:
                return known
        await anyio.sleep(0.01)


async def until_answered(store: Store, wish: SourceWish) -> None:
    while (await store.source_wishes([wish.key]))[0].answered < wish.hints:  # noqa: ASYNC110 - seen in the store
        await anyio.sleep(0.01)


async def test_the_store_knows_a_source_from_the_start_and_whatever_becomes_of_it(
    store: Store, cache: SnapshotCache, remote: Remote
) -> None:
    watched = await watch(cache, ToldSource(remote, every=0.05))
    async with kept(store, watched):
        await until_known(store, "told", state=SourceState.OK)
        remote.answer = SourceUnavailable("it is away")
        known = await until_known(store, "told", state=SourceState.DEGRADED, reason="it is away")
        assert known.report.poll is not None and known.report.poll.found == "it is away"
        remote.answer = revision(2)
        await until_known(store, "told", revision(2), state=SourceState.OK)


async def test_a_hint_in_the_store_wakes_the_watcher_it_concerns_and_is_answered(
    store: Store, cache: SnapshotCache, remote: Remote
) -> None:
    other = Remote()
    mine = await watch(cache, ToldSource(remote, every=3600))
    theirs = await watch(cache, ToldSource(other, key="other", every=3600))
    asked = other.asked
    async with kept(store, mine, theirs):
        await until_known(store, "told")
        remote.answer = revision(2)
        [wish] = await store.hint_sources(["told"])
        await until(lambda: mine.snapshots == [("branch main", revision(2).id)])
        await until_answered(store, wish)
    assert other.asked == asked


async def test_a_thousand_hints_are_a_handful_of_polls(store: Store, cache: SnapshotCache, remote: Remote) -> None:
    watched = await watch(cache, ToldSource(remote, every=3600))
    asked, begun = remote.asked, time.monotonic()
    async with kept(store, watched):
        await until_known(store, "told")
        for _ in range(20):
            for _ in range(50):
                [wish] = await store.hint_sources(["told"])
        await until_answered(store, wish)
    assert wish.hints == 1000
    assert 1 <= remote.asked - asked <= 2 + (time.monotonic() - begun) / 0.5


async def test_a_hint_that_was_answered_before_is_no_reason_to_ask_at_the_start_and_one_that_was_not_is(
    store: Store, cache: SnapshotCache, remote: Remote
) -> None:
    other = Remote()
    await store.report_sources([replace(REPORT, key="told", selector="branch main", answered=2)])
    for _ in range(2):
        await store.hint_sources(["told", "other"])
    answered = await watch(cache, ToldSource(remote, every=3600))
    waiting = await watch(cache, ToldSource(other, key="other", every=3600))
    asked, other.answer = remote.asked, revision(2)
    async with kept(store, answered, waiting):
        await until(lambda: waiting.snapshots == [("branch main", revision(2).id)])
    assert remote.asked == asked


async def test_a_pause_survives_a_restart_and_ends_when_a_person_says_so(
    store: Store, cache: SnapshotCache, remote: Remote
) -> None:
    await store.set_source_paused("told", True, now=NOW)
    watched = await watch(cache, ToldSource(remote, every=0.01))
    asked, remote.answer = remote.asked, revision(2)
    async with kept(store, watched):
        known = await until_known(store, "told", state=SourceState.PAUSED)
        assert (known.report.status.since, remote.asked) == (NOW, asked)
        await store.set_source_paused("told", False, now=NOW)
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])
        await until_known(store, "told", revision(2), state=SourceState.OK)


async def test_wishes_that_could_not_be_read_are_looked_for_again(
    store: Store, cache: SnapshotCache, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowsource.watch.keeping._LOOK_ANYWAY", timedelta(milliseconds=10))
    reading, refused = store.source_wishes, list[Sequence[str]]()

    async def away(keys: Sequence[str]) -> list[SourceWish]:
        if not refused:
            refused.append(keys)
            raise StoreUnavailable("the disk is full")
        return await reading(keys)

    monkeypatch.setattr(store, "source_wishes", away)
    await store.hint_sources(["told"])
    watched = await watch(cache, ToldSource(remote, every=3600))
    remote.answer = revision(2)
    async with kept(store, watched):
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])
    assert refused == [["told"]]


class CountingStore:
    """The one method of a store that a recorder calls, counted, and refused as long as the store is away."""

    def __init__(self) -> None:
        self.writes: list[Sequence[SourceReport]] = []
        self.is_away = False

    async def report_sources(self, reports: Sequence[SourceReport]) -> None:
        if self.is_away:
            raise StoreUnavailable("the disk is full")
        self.writes.append(reports)


@asynccontextmanager
async def recording(store: CountingStore) -> AsyncIterator[Recorder]:
    recorder = Recorder(store)  # type: ignore[arg-type]  # it has all that a recorder calls
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        yield recorder
        tasks.cancel_scope.cancel()


LATER = replace(REPORT, poll=replace(POLL, at=NOW + MINUTE))


async def test_polls_that_find_nothing_are_written_now_and_then_and_news_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = CountingStore()
    async with recording(store) as recorder:
        recorder.take([REPORT])
        await until(lambda: store.writes == [[REPORT]])
        for minute in range(100):
            recorder.take([replace(REPORT, poll=replace(POLL, at=NOW + minute * MINUTE))])
        await anyio.wait_all_tasks_blocked()
        assert len(store.writes) == 1
        news = replace(LATER, revision=SECOND_REVISION)
        recorder.take([news])
        await until(lambda: store.writes == [[REPORT], [news]])
    monkeypatch.setattr("flowsource.watch.recorder.QUIET", timedelta(milliseconds=50))
    async with recording(store) as recorder:
        recorder.take([REPORT])
        await until(lambda: len(store.writes) == 3)
        recorder.take([LATER])
        await until(lambda: store.writes[3:] == [[LATER]])
        recorder.take([news])
        await until(lambda: store.writes[4:] == [[news]])


async def test_what_could_not_be_written_is_written_once_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowsource.watch.recorder._AGAIN", timedelta(milliseconds=10))
    store = CountingStore()
    store.is_away = True
    async with recording(store) as recorder:
        recorder.take([REPORT])
        await anyio.wait_all_tasks_blocked()
        store.is_away = False
        await until(lambda: store.writes == [[REPORT]])


async def test_what_is_news(remote: Remote, cache: SnapshotCache) -> None:
    assert is_news(None, REPORT)
    assert not is_news(REPORT, LATER)
    assert not is_news(REPORT, replace(REPORT, status=replace(REPORT.status, next_try_at=NOW, failures=9)))
    for after in (
        replace(REPORT, revision=SECOND_REVISION),
        replace(REPORT, answered=1),
        replace(REPORT, status=replace(REPORT.status, reason="another")),
        replace(REPORT, status=replace(REPORT.status, rewritten=None)),
    ):
        assert is_news(REPORT, after)
