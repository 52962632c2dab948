"""What a poll tells of itself, and what no poll may do to another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from flowsource.errors import RefNotFound, SourceUnavailable, UnsafeTree
from flowsource.snapshots.cache import SnapshotCache
from flowsource.source_status import Poll, SourceState
from tests.support.waiting import until
from tests.watch.told import Remote, ToldSource, Watched, revision, watch

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = ["wait for its turn", "resolve"]
FETCHED = [*ASKED, "fetch and publish", "hand on"]


def last_poll(watched: Watched, place: int = 0) -> Poll:
    poll = watched.watcher.reports()[place].poll
    assert poll is not None
    return poll


def stages(poll: Poll) -> list[str]:
    assert timedelta(0) <= sum((stage.took for stage in poll.stages), timedelta(0)) <= poll.took
    return [stage.name for stage in poll.stages]


async def test_a_poll_tells_its_stages_and_what_it_found(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote), ToldSource(remote, selector="branch gone"))
    assert [report.poll for report in watched.watcher.reports()] == [None, None]
    remote.answers = {"branch main": revision(0xABCDEF << 136), "branch gone": RefNotFound("branch gone", "told")}
    await watched.watcher.poll_once()
    assert (stages(last_poll(watched)), last_poll(watched).found) == (FETCHED, "abcdef0")
    assert (stages(last_poll(watched, 1)), "told has no branch gone" in last_poll(watched, 1).found) == (ASKED, True)
    await watched.watcher.poll_once()
    assert (stages(last_poll(watched)), last_poll(watched).found) == (ASKED, "nothing new")


async def test_a_poll_tells_the_stage_that_failed(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote))
    remote.answer = revision(2)
    remote.unfetchable[revision(2)] = UnsafeTree("it names ..")
    await watched.watcher.poll_once()
    assert [stage.outcome for stage in last_poll(watched).stages] == ["ok", "ok", "failed"]
    assert last_poll(watched).found == "it names .."
    remote.answer = SourceUnavailable("away")
    await watched.watcher.poll_once()
    assert (stages(last_poll(watched)), last_poll(watched).stages[-1].outcome) == (ASKED, "failed")


async def test_a_report_says_what_asked_for_the_poll_and_which_hints_it_answers(
    remote: Remote, cache: SnapshotCache
) -> None:
    watched = await watch(cache, ToldSource(remote, every=3600))
    async with watched.running():
        watched.watcher.hint("a signal", number=7)
        await until(lambda: len(watched.reports) == 2)
    [before], [after] = watched.reports
    assert (before.poll, before.answered) == (None, 0)
    assert after.poll is not None
    assert (after.poll.asked, after.answered) == ("a signal", 7)


async def test_a_hundred_hints_at_once_are_one_poll(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote, every=3600))
    asked = remote.asked
    async with watched.running():
        for number in range(100):
            watched.watcher.hint(number=number)
        await until(lambda: len(watched.reports) >= 2)
    assert (remote.asked - asked, watched.watcher.reports()[0].answered) == (1, 99)


@pytest.mark.parametrize("stage", ["resolve", "fetch and publish"])
async def test_a_stage_that_hangs_where_nothing_reaches_it_is_left_behind_and_others_go_on(
    cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    stuck, well = Remote(), Remote()
    bad = await watch(cache, ToldSource(stuck, key="stuck", every=3600))
    good = await watch(cache, ToldSource(well, key="well", every=3600))
    let_go = anyio.Event()
    stuck.answer = well.answer = revision(2)
    if stage == "resolve":
        stuck.resolving_hangs = let_go
    else:
        stuck.fetching_hangs = let_go
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bad.watcher.run)
        tasks.start_soon(good.watcher.run)
        with monkeypatch.context() as short:
            for name in ("watcher._RESOLVE_LIMIT", "watcher._FETCH_LIMIT", "watchdog._TO_STOP"):
                short.setattr(f"flowsource.watch.{name}", timedelta(milliseconds=500))
            bad.watcher.hint()
            await until(lambda: stuck.hanging == 1)
            await until(lambda: bad.statuses == [SourceState.DEGRADED])
        assert "showed no sign of life for 0.5 s, and was given up; 1 such are left behind" in str(bad.told[0].reason)
        assert (last_poll(bad).stages[-1].name, last_poll(bad).stages[-1].outcome) == (stage, "given up")
        good.watcher.hint()
        await until(lambda: good.snapshots == [("branch main", revision(2).id)])
        assert stuck.hanging == 1, "it still hangs"
        stuck.resolving_hangs = stuck.fetching_hangs = None
        let_go.set()
        bad.watcher.hint()
        await until(lambda: bad.snapshots == [("branch main", revision(2).id)])
        tasks.cancel_scope.cancel()
    assert bad.statuses == [SourceState.DEGRADED, SourceState.OK]


async def test_a_fetch_that_shows_signs_of_life_may_take_as_long_as_it_likes(
    remote: Remote, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowsource.watch.watcher._FETCH_LIMIT", timedelta(seconds=1.5))
    watched = await watch(cache, ToldSource(remote))
    remote.answer, remote.reports_for = revision(2), 1.8
    await watched.watcher.poll_once()
    assert watched.snapshots == [("branch main", revision(2).id)]


async def test_a_paused_source_is_not_asked_whoever_hints_and_says_so(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote, every=0.01))
    watched.watcher.set_paused(NOW)
    asked = remote.asked
    remote.answer = revision(2)
    async with watched.running():
        watched.watcher.hint()
        await anyio.wait_all_tasks_blocked()
        assert remote.asked == asked
        [status] = watched.watcher.statuses
        assert (status.state, status.since, status.next_try_at) == (SourceState.PAUSED, NOW, None)
        watched.watcher.set_paused(NOW + timedelta(1))
        assert watched.watcher.statuses[0].since == NOW, "it was paused before"
        watched.watcher.set_paused(None)
        await until(lambda: watched.snapshots == [("branch main", revision(2).id)])
    assert watched.statuses[:2] == [SourceState.PAUSED, SourceState.OK]


async def test_what_happens_to_a_poll_that_goes_on_when_a_person_pauses_is_told_after_the_pause(
    remote: Remote, cache: SnapshotCache
) -> None:
    watched = await watch(cache, ToldSource(remote))
    watched.watcher.set_paused(NOW)
    remote.answer = SourceUnavailable("away")
    await watched.watcher.poll_once()
    assert watched.statuses == [SourceState.PAUSED]
    watched.watcher.set_paused(None)
    assert watched.statuses == [SourceState.PAUSED, SourceState.DEGRADED]


@pytest.mark.parametrize(
    ("selector", "said"), [("branch main", "history was rewritten"), ("tag v1", "the tag was moved")]
)
async def test_a_history_that_was_rewritten_is_followed_and_told_of(
    remote: Remote, cache: SnapshotCache, caplog: pytest.LogCaptureFixture, selector: str, said: str
) -> None:
    watched = await watch(cache, ToldSource(remote, selector=selector))
    remote.answer, remote.history = revision(2), {revision(2): False}
    await watched.watcher.poll_once()
    assert watched.snapshots == [(selector, revision(2).id)]
    [status] = watched.watcher.statuses
    assert status.state is SourceState.OK and status.rewritten is not None
    assert (status.rewritten.what, status.rewritten.before, status.rewritten.after) == (
        said,
        revision(1).id,
        revision(2).id,
    )
    assert [record.levelname for record in caplog.records if said in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize("answer", [True, None, SourceUnavailable("away"), ZeroDivisionError("a fault of ours")])
async def test_a_history_that_goes_on_or_cannot_be_told_is_no_event(
    remote: Remote, cache: SnapshotCache, answer: bool | Exception | None
) -> None:
    watched = await watch(cache, ToldSource(remote))
    remote.answer, remote.history = revision(2), {revision(2): answer}
    await watched.watcher.poll_once()
    [status] = watched.watcher.statuses
    assert (status.state, status.rewritten) == (SourceState.OK, None)
