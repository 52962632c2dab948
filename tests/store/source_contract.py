"""What every store promises about sources, as tests that each kind of store inherits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flowsource.source_status import Poll, Rewrite, SourceState, SourceStatus, Stage
from flowsource.store.protocol import Store
from flowsource.store.values import SOURCES, WISHES, SourceReport
from tests.store.words import FIRST, MINUTE, NOW, SECOND, SECOND_REVISION, registration, serve

POLL = Poll(
    at=NOW,
    asked="a hint",
    took=timedelta(seconds=1.5),
    stages=(Stage(name="resolve", took=SECOND, outcome="ok"), Stage(name="fetch", took=SECOND / 2, outcome="failed")),
    found="it is away",
)
STATUS = SourceStatus(
    label="https://example.org/flows.git",
    state=SourceState.DEGRADED,
    since=NOW - MINUTE,
    reason="it is away",
    failures=3,
    next_try_at=NOW + MINUTE,
    rewritten=Rewrite(what="history was rewritten", before=FIRST.id, after=SECOND_REVISION.id, at=NOW),
)
REPORT = SourceReport(
    key="key", selector="", address="https://example.org/flows.git", status=STATUS, revision=FIRST, poll=POLL
)


def labelled(label: str, *, key: str = "key", selector: str = "") -> SourceReport:
    return replace(REPORT, key=key, selector=selector, status=replace(STATUS, label=label))


class SourceStoreContract:
    """A new kind of store subclasses this, marks it for anyio, and supplies the fixture `store`."""

    async def test_what_was_told_of_a_source_is_known_as_it_was_told(self, store: Store) -> None:
        await store.report_sources([REPORT])
        [known] = await store.sources(now=NOW)
        assert known.report == REPORT

    async def test_the_last_report_of_a_source_takes_the_place_of_the_one_before(self, store: Store) -> None:
        await store.report_sources([REPORT])
        later = replace(REPORT, revision=SECOND_REVISION, poll=None, answered=4)
        await store.report_sources([later])
        [known] = await store.sources(now=NOW)
        assert (known.report, known.wish.answered) == (later, 4)

    async def test_what_is_followed_of_one_key_is_told_apart_and_listed_by_label(self, store: Store) -> None:
        await store.report_sources([labelled("b", selector="branch b"), labelled("a", selector="branch a")])
        await store.report_sources([labelled("c", key="other"), labelled("b", selector="branch b")])
        assert [known.report.status.label for known in await store.sources(now=NOW)] == ["a", "b", "c"]

    async def test_a_source_is_served_as_long_as_a_live_runner_serves_what_follows_it(self, store: Store) -> None:
        await store.report_sources([labelled("main", selector="branch main"), labelled("next", selector="branch next")])
        server = await serve(store, registration(source_selector="branch main"))

        async def served(at: timedelta) -> list[str]:
            return [known.report.selector for known in await store.sources(now=NOW + at) if known.is_served]

        assert await served(SECOND) == ["branch main"]
        assert await served(2 * MINUTE) == []
        await store.retire(server.id, now=NOW)
        assert await served(SECOND) == []

    async def test_hints_are_counted_for_each_key_and_known_before_anybody_serves_it(self, store: Store) -> None:
        await store.hint_sources(["key"])
        assert [wish.hints for wish in await store.hint_sources(["other", "key"])] == [1, 2]
        assert [wish.hints for wish in await store.source_wishes(["key", "never", "other"])] == [2, 0, 1]

    async def test_a_hint_is_answered_once_a_report_says_so(self, store: Store) -> None:
        [wish] = await store.hint_sources(["key"])
        assert (wish.hints, wish.answered) == (1, 0)
        await store.report_sources([replace(REPORT, answered=1), replace(REPORT, selector="branch next")])
        [wish] = await store.source_wishes(["key"])
        assert (wish.hints, wish.answered) == (1, 1)

    async def test_a_pause_stays_and_keeps_the_instant_it_began(self, store: Store) -> None:
        await store.hint_sources(["key"])
        await store.set_source_paused("key", True, now=NOW)
        wish = await store.set_source_paused("key", True, now=NOW + MINUTE)
        assert (wish.paused_at, wish.hints) == (NOW, 1)
        await store.report_sources([REPORT])
        assert [known.wish.paused_at for known in await store.sources(now=NOW)] == [NOW]
        assert (await store.set_source_paused("key", False, now=NOW)).paused_at is None
        assert (await store.set_source_paused("never", False, now=NOW)).paused_at is None

    async def test_whoever_listens_hears_of_reports_and_of_wishes(self, store: Store) -> None:
        async with store.changes(SOURCES) as reports, store.changes(WISHES) as wishes:
            await store.report_sources([REPORT])
            assert await reports.wait(5 * SECOND)
            assert not await wishes.wait(timedelta(0))
            await store.hint_sources(["key"])
            assert await wishes.wait(5 * SECOND)
            await store.set_source_paused("key", True, now=NOW)
            assert await wishes.wait(5 * SECOND)
