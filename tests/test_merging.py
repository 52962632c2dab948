"""What code says and what people do are made one, however often code is started again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowsource.merging import Item, merge_items, merged, merged_switch
from flowsource.schedules import Cron, Interval, Schedule, content_key
from flowsource.schedules.merging import merge_schedule
from flowsource.triggers import EventTrigger
from flowsource.triggers.merging import merge_trigger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
values = st.integers(0, 3)
switches = st.none() | st.booleans()
declarations = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)
items = st.builds(Item, st.none() | values, values) | st.builds(Item, values, st.none())
kept = st.dictionaries(st.sampled_from("abcdef"), items, max_size=6)


def merge(before: int | None, live: int, declared: int) -> int:
    return declared if before is None else merged(before, live, declared)


@given(values, values, st.lists(values))
def test_what_a_person_set_survives_until_the_code_says_something_else(
    before: int, live: int, later: list[int]
) -> None:
    for now in later:
        assert merged(before, live, before) == live
        live = merged(before, live, now)
        assert now == before or live == now
        before = now


@given(switches, st.booleans(), switches)
def test_a_switch_follows_the_last_who_said_something(before: bool | None, live: bool, now: bool | None) -> None:
    after = merged_switch(before, live, now)
    if now == before:
        assert after == live
    elif now is not None:
        assert after == now
    else:
        # Only what the code switched on goes off with it.
        assert after == (live and not before)
    assert merged_switch(now, after, now) == after


@given(kept, declarations)
def test_a_second_start_changes_nothing(items: dict[str, Item[int]], declared: dict[str, int]) -> None:
    once = merge_items(items, declared, merge)
    again = merge_items(once, declared, merge)
    assert again == once
    assert list(again) == list(once)


@given(kept, declarations)
def test_what_the_code_declares_is_there_and_what_it_drops_is_not(
    items: dict[str, Item[int]], declared: dict[str, int]
) -> None:
    after = merge_items(items, declared, merge)
    assert {key for key, item in after.items() if item.declared is not None} == set(declared)
    assert {key: item.declared for key, item in after.items() if item.declared is not None} == declared


@given(kept, declarations)
def test_what_a_person_added_stays_until_the_code_declares_it(
    items: dict[str, Item[int]], declared: dict[str, int]
) -> None:
    after = merge_items(items, declared, merge)
    added = {key for key, item in items.items() if item.declared is None}
    assert {key for key, item in after.items() if item.declared is None} == added - set(declared)
    assert all(after[key] == items[key] for key in added - set(declared))
    assert all(after[key] == Item(declared[key], declared[key]) for key in added & set(declared))


@given(kept, declarations)
def test_what_a_person_removed_stays_away_while_the_code_says_the_same(
    items: dict[str, Item[int]], declared: dict[str, int]
) -> None:
    after = merge_items(items, declared, merge)
    for key, item in items.items():
        if item.live is None and key in declared:
            assert (after[key].live is None) == (item.declared == declared[key])
    gone = {key for key, item in after.items() if item.live is None}
    assert gone <= {key for key, item in items.items() if item.live is None}


@given(kept, declarations, st.sampled_from("abcd"), values)
def test_a_change_of_one_thing_in_the_code_moves_nothing_else(
    items: dict[str, Item[int]], declared: dict[str, int], key: str, value: int
) -> None:
    before = merge_items(items, declared, merge)
    after = merge_items(before, {**declared, key: value}, merge)
    assert {other: item for other, item in after.items() if other != key} == {
        other: item for other, item in before.items() if other != key
    }


options = st.fixed_dictionaries(
    {},
    optional={
        "active": st.booleans(),
        "parameters": st.dictionaries(st.sampled_from("ab"), values, max_size=1),
        "jitter": st.sampled_from([0, 5]),
        "catchup": st.sampled_from([None, "all"]),
        "max_lateness": st.sampled_from([None, 60]),
    },
)
schedules: st.SearchStrategy[Schedule] = st.one_of(
    st.builds(lambda said: Cron("@daily", slug="s", **said), options),
    st.builds(lambda said: Cron("@hourly", "Asia/Tokyo", slug="s", **said), options),
    st.builds(lambda said: Interval(3600, slug="s", **said), options),
)


@given(schedules, schedules)
def test_a_schedule_that_is_declared_as_before_stays_as_a_person_left_it(said: Schedule, live: Schedule) -> None:
    assert merge_schedule(said, live, said) == live


@given(schedules, schedules)
def test_a_schedule_that_nobody_touched_follows_the_code(before: Schedule, now: Schedule) -> None:
    assert merge_schedule(before, before, now) == now


@given(schedules, schedules)
def test_a_schedule_that_a_person_holds_stays_held_whatever_else_the_code_changes(
    before: Schedule, now: Schedule
) -> None:
    before, now = replace(before, active=True), replace(now, active=True)
    after = merge_schedule(before, replace(before, active=False), now)
    assert after == replace(now, active=False)
    # Only what it says of just that comes first: here that it is not active, and then that it is.
    said_no = merge_schedule(now, after, replace(now, active=False))
    assert merge_schedule(replace(now, active=False), said_no, now) == now


@given(schedules)
def test_a_schedule_of_a_person_that_the_code_declares_too_is_as_the_code_says_but_for_a_pause(now: Schedule) -> None:
    mine = Cron("0 5 * * *", slug="s", jitter=99)
    assert merge_schedule(None, mine, now) == now
    assert merge_schedule(None, replace(mine, active=False), now) == replace(now, active=False)


def test_an_interval_keeps_the_anchor_that_it_was_given_until_the_code_names_another() -> None:
    said, live = Interval(3600), Interval(3600, NOON)
    assert merge_schedule(said, live, Interval(3600, jitter=5)) == Interval(3600, NOON, jitter=5)
    elsewhere = Interval(3600, NOON + timedelta(minutes=7))
    assert merge_schedule(said, live, elsewhere) == elsewhere
    assert content_key(said) != content_key(elsewhere)


triggers = st.builds(
    EventTrigger,
    expect=st.sampled_from(["a", "b"]),
    name=st.just("mine"),
    enabled=st.booleans(),
    parameters=st.dictionaries(st.sampled_from("ab"), values, max_size=1),
    schedule_after=st.sampled_from([0, 5]),
)


@given(triggers, triggers, triggers)
def test_a_trigger_is_as_a_person_left_it_where_the_code_says_nothing_else(
    before: EventTrigger, live: EventTrigger, now: EventTrigger
) -> None:
    assert merge_trigger(before, live, before) == live
    assert merge_trigger(before, before, now) == now
    held = merge_trigger(replace(before, enabled=True), replace(before, enabled=False), replace(now, enabled=True))
    assert held == replace(now, enabled=False)
    assert merge_trigger(None, live, now) == (now if live.enabled else replace(now, enabled=False))
