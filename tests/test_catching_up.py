"""What becomes of instants that came due while nobody looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.catching_up import JUST_NOW, PLANNED_AT_ONCE, SKIPPED_KEPT, Plan, plan
from flowsource.schedules import Catchup, Cron, Interval, Schedule, due

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Interval(MINUTE, NOON)

catchups: st.SearchStrategy[Catchup] = st.sampled_from(["latest", "all", "none"])
schedules: st.SearchStrategy[Schedule] = st.one_of(
    st.builds(Interval, st.timedeltas(SECOND, timedelta(minutes=30)), st.just(NOON)),
    st.builds(
        Cron, st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *"]), st.sampled_from(["UTC", "Asia/Kathmandu"])
    ),
)
spans = st.timedeltas(timedelta(0), timedelta(hours=2))
latenesses = st.none() | spans


def looks(
    schedule: Schedule, moments: list[datetime], catchup: Catchup, max_lateness: timedelta | None = None
) -> list[Plan]:
    """What is decided by one who looks at these moments, the first of which is when the schedule began."""
    plans, cursor = [], moments[0]
    for now in moments[1:]:
        while True:
            made = plan(schedule, after=cursor, now=now, catchup=catchup, max_lateness=max_lateness)
            plans.append(made)
            cursor = made.cursor
            if cursor == now:
                break
    return plans


@given(schedules, st.lists(spans, min_size=1, max_size=4), catchups, latenesses)
def test_each_instant_is_decided_on_once_and_only_once(
    schedule: Schedule, gaps: list[timedelta], catchup: Catchup, max_lateness: timedelta | None
) -> None:
    moments = [NOON]
    for gap in gaps:
        moments.append(moments[-1] + gap)
    plans = looks(schedule, moments, catchup, max_lateness)
    decided = sorted(at for made in plans for at in (*made.wanted, *made.missed, *made.too_late))
    assert len(set(decided)) == len(decided)
    assert set(decided) <= set(due(schedule, after=NOON, now=moments[-1]))
    if all(len(made.missed) + len(made.too_late) < SKIPPED_KEPT for made in plans):
        assert decided == list(due(schedule, after=NOON, now=moments[-1]))


@given(schedules, spans, catchups, latenesses)
def test_a_plan_is_within_its_bounds_and_in_order(
    schedule: Schedule, gap: timedelta, catchup: Catchup, max_lateness: timedelta | None
) -> None:
    now = NOON + gap
    made = plan(schedule, after=NOON, now=now, catchup=catchup, max_lateness=max_lateness)
    assert len(made.wanted) <= PLANNED_AT_ONCE
    assert len(made.missed) + len(made.too_late) <= SKIPPED_KEPT
    for instants in (made.wanted, made.missed, made.too_late):
        assert all(before < after for before, after in pairwise(instants))
    assert NOON <= made.cursor <= now
    if max_lateness is not None:
        assert all(now - at < max_lateness for at in made.wanted)
        assert all(now - at >= max_lateness for at in made.too_late)


@given(schedules, spans)
def test_all_means_each(schedule: Schedule, gap: timedelta) -> None:
    plans = looks(schedule, [NOON, NOON + gap], "all")
    assert [at for made in plans for at in made.wanted] == list(due(schedule, after=NOON, now=NOON + gap))


@given(schedules, spans)
def test_latest_means_the_last(schedule: Schedule, gap: timedelta) -> None:
    [made] = looks(schedule, [NOON, NOON + gap], "latest")
    assert list(made.wanted) == list(due(schedule, after=NOON, now=NOON + gap))[-1:]


@given(schedules, spans)
def test_none_means_none_but_what_came_due_just_now(schedule: Schedule, gap: timedelta) -> None:
    [made] = looks(schedule, [NOON, NOON + gap], "none")
    fresh = due(schedule, after=max(NOON, NOON + gap - JUST_NOW), now=NOON + gap)
    assert list(made.wanted) == list(fresh)[-1:]


@given(schedules, catchups)
def test_whoever_looks_whenever_something_comes_due_misses_nothing(schedule: Schedule, catchup: Catchup) -> None:
    instants = [*due(schedule, after=NOON, now=NOON + timedelta(hours=1))][:50]
    plans = looks(schedule, [NOON, *(at + SECOND / 2 for at in instants)], catchup)
    assert [at for made in plans for at in made.wanted] == instants


@pytest.mark.parametrize("catchup", ["latest", "none"])
def test_the_newest_of_what_was_missed_are_told(catchup: Catchup) -> None:
    now = NOON + timedelta(days=3650) + MINUTE / 2
    made = plan(EVERY_MINUTE, after=NOON, now=now, catchup=catchup)
    assert made.wanted == (now - MINUTE / 2,)
    assert made.missed == tuple(made.wanted[0] - count * MINUTE for count in range(SKIPPED_KEPT, 0, -1))


def test_what_is_too_late_is_told_and_the_rest_is_made_up_for() -> None:
    now = NOON + 10 * MINUTE
    made = plan(EVERY_MINUTE, after=NOON, now=now, catchup="all", max_lateness=3 * MINUTE)
    assert made.too_late == tuple(NOON + count * MINUTE for count in range(1, 8))
    assert made.wanted == tuple(NOON + count * MINUTE for count in range(8, 11))
