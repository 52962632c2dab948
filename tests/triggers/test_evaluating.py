"""When triggers fire: by events as they come, and by time where they do not come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.events import Event
from flowsource.triggers import CompoundTrigger, EventTrigger, SequenceTrigger, Trigger
from flowsource.triggers.counting import Counted, state_from_json, state_to_json
from flowsource.triggers.evaluating import MOST_WINDOWS, begun, next_end, passed, seen
from tests.triggers.telling import NOW, at, event, looked_at, seconds_fired, told

A, B, C = (EventTrigger(expect=name) for name in "abc")


def test_a_trigger_fires_for_each_event_that_it_expects() -> None:
    assert seconds_fired(A, ("a", 0), ("b", 1), ("a", 2), ("ab", 3)) == [0, 2]


def test_one_that_expects_nothing_takes_any_event() -> None:
    assert seconds_fired(EventTrigger(), ("a", 0), ("b", 1)) == [0, 1]


def test_a_beginning_stands_for_all_names_that_begin_so() -> None:
    assert seconds_fired(EventTrigger(expect="order.*"), ("order.created", 0), ("order", 1), ("orders.x", 2)) == [0]


def test_a_threshold_is_reached_by_so_many_and_then_begins_anew() -> None:
    assert seconds_fired(EventTrigger(expect="a", threshold=2), *[("a", second) for second in range(5)]) == [1, 3]


def test_a_threshold_is_reached_within_a_time_of_the_first_or_not_at_all() -> None:
    two = EventTrigger(expect="a", threshold=2, within=10)
    assert seconds_fired(two, ("a", 0), ("a", 10)) == []
    assert seconds_fired(two, ("a", 0), ("a", 9), ("a", 9.5)) == [9]


def test_in_the_time_of_one_firing_there_is_no_second() -> None:
    assert seconds_fired(EventTrigger(expect="a", within=10), ("a", 0), ("a", 5), ("a", 10), ("a", 19)) == [0, 10]


def test_events_are_counted_apart_for_each_thing_they_happened_to() -> None:
    two = EventTrigger(expect="a", threshold=2, for_each="flowsource.resource.id")
    assert seconds_fired(two, ("a", 0, "x"), ("a", 1, "y"), ("a", 2, "y"), ("a", 3, "x")) == [2, 3]


def test_what_comes_before_what_must_come_first_does_not_count() -> None:
    after = EventTrigger(expect="b", after="a", within=10)
    assert seconds_fired(after, ("b", 0), ("a", 1), ("b", 2), ("b", 3)) == [2]
    assert seconds_fired(after, ("a", 0), ("b", 11)) == []
    assert seconds_fired(after, ("a", 0), ("a", 9), ("b", 12)) == [12]


def test_what_does_not_come_in_time_fires_at_the_end_of_it() -> None:
    shipped = EventTrigger(expect="shipped", after="paid", within=60, posture="Proactive")
    assert seconds_fired(shipped, ("paid", 0), until=59) == []
    assert seconds_fired(shipped, ("paid", 0), until=60) == [60]
    assert seconds_fired(shipped, ("paid", 0), ("shipped", 30), until=600) == []
    assert seconds_fired(shipped, ("paid", 0), ("shipped", 61)) == [60]
    assert seconds_fired(shipped, ("paid", 0), ("paid", 50), until=600) == [60]


def test_what_does_not_come_names_the_event_that_it_should_have_followed() -> None:
    each = EventTrigger(
        expect="shipped", after="paid", within=60, posture="Proactive", for_each="flowsource.resource.id"
    )
    _, fired = looked_at(each, told(("paid", 0, "x"), ("paid", 1, "y"), ("shipped", 2, "x")), until=61)
    assert [(one.seq, one.at) for one in fired] == [(2, at(61))]


def test_a_heartbeat_is_missed_once_for_each_time_that_somebody_looked() -> None:
    beat = EventTrigger(expect="beat", within=60, posture="Proactive")
    assert seconds_fired(beat, ("beat", 30), ("beat", 90), until=180) == [180]
    state, _ = looked_at(beat, [], until=60)
    _, fired = passed(beat, state, at(119))
    assert fired == []
    _, fired = passed(beat, state, at(10_000))
    assert [one.at for one in fired] == [at(120)]
    assert next_end(beat, begun(beat, at=NOW)) == at(60)


def test_a_heartbeat_that_must_follow_the_one_before_it_is_one_trigger() -> None:
    beat = EventTrigger(expect="beat", after="beat", within=60, posture="Proactive")
    assert seconds_fired(beat, until=600) == []
    assert seconds_fired(beat, ("beat", 0), ("beat", 50), ("beat", 100), until=600) == [160]


def test_no_more_windows_are_counted_than_can_be_kept() -> None:
    each = EventTrigger(expect="a", threshold=2, for_each="flowsource.resource.id")
    state, _ = looked_at(each, told(*[("a", 0, f"{number}") for number in range(MOST_WINDOWS + 5)]))
    assert isinstance(state, Counted)
    assert len(state.windows) == MOST_WINDOWS
    _, fired = looked_at(each, [event("a", 1, seq=9999, of=f"{MOST_WINDOWS}")], state)
    assert len(fired) == 1


def test_what_counts_for_nothing_leaves_the_state_as_it_is() -> None:
    for trigger in (A, EventTrigger(expect="a", threshold=2), CompoundTrigger(triggers=[A, B]), SequenceTrigger([A])):
        state = begun(trigger, at=NOW)
        assert seen(trigger, state, event("other"))[0] is state
        assert passed(trigger, state, at(10))[0] is state
    assert seen(A, begun(A, at=NOW), event("a"))[0] == begun(A, at=NOW)
    once = EventTrigger(expect="a", within=60)
    state, _ = seen(once, begun(once, at=NOW), event("a"))
    assert seen(once, state, event("a", 1, seq=2))[0] is state


def test_all_any_or_some_of_several_triggers() -> None:
    said = (("a", 0), ("a", 1), ("b", 2), ("c", 3))
    assert seconds_fired(CompoundTrigger(triggers=[A, B, C]), *said) == [3]
    assert seconds_fired(CompoundTrigger(triggers=[A, B, C], require=2), *said) == [2]
    assert seconds_fired(CompoundTrigger(triggers=[A, B, C], require="any"), *said) == [0, 1, 2, 3]


def test_several_triggers_fire_within_a_time_of_each_other() -> None:
    both = CompoundTrigger(triggers=[A, B], within=10)
    assert seconds_fired(both, ("a", 0), ("b", 10)) == []
    assert seconds_fired(both, ("a", 0), ("b", 10), ("a", 15)) == [15]


def test_a_sequence_fires_in_its_order_alone() -> None:
    in_order = SequenceTrigger(triggers=[A, B])
    assert seconds_fired(in_order, ("b", 0), ("a", 1)) == []
    assert seconds_fired(in_order, ("b", 0), ("a", 1), ("b", 2), ("b", 3)) == [2]
    assert seconds_fired(SequenceTrigger(triggers=[A, B], within=10), ("a", 0), ("b", 10), ("a", 11), ("b", 12)) == [12]


def test_one_event_is_not_two_steps_of_a_sequence() -> None:
    assert seconds_fired(SequenceTrigger(triggers=[A, A]), ("a", 0)) == []


def test_groups_stand_in_groups_and_hold_what_does_not_come() -> None:
    missing = EventTrigger(expect="c", after="a", within=60, posture="Proactive")
    group = SequenceTrigger(triggers=[CompoundTrigger(triggers=[A, B]), missing])
    assert seconds_fired(group, ("a", 0), ("b", 1), until=60) == [60]
    assert seconds_fired(group, ("a", 0), ("b", 1), ("c", 2), until=60) == []
    state, _ = looked_at(group, told(("a", 0)))
    assert next_end(group, state) == at(60)


NAMES = st.sampled_from("abc")
SINGLE = st.builds(
    EventTrigger,
    expect=st.sets(NAMES, max_size=2),
    after=st.sets(NAMES, max_size=1),
    for_each=st.sampled_from([(), "flowsource.resource.id"]),
    posture=st.sampled_from(["Reactive", "Proactive"]),
    threshold=st.integers(1, 3),
    within=st.sampled_from([10, 30]),
) | st.builds(EventTrigger, expect=st.sets(NAMES, max_size=2), threshold=st.integers(1, 3))
TRIGGERS: st.SearchStrategy[Trigger] = st.recursive(
    SINGLE,
    lambda inner: (
        st.builds(
            CompoundTrigger,
            triggers=st.lists(inner, min_size=1, max_size=3),
            require=st.sampled_from([1, "any", "all"]),
            within=st.sampled_from([None, 20]),
        )
        | st.builds(
            SequenceTrigger, triggers=st.lists(inner, min_size=1, max_size=3), within=st.sampled_from([None, 20])
        )
    ),
    max_leaves=4,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    steps = draw(st.lists(st.tuples(st.integers(0, 20), NAMES, st.sampled_from(["x", "y"])), max_size=12))
    seconds, said = 0, []
    for step, name, of in steps:
        seconds += step
        said.append((name, seconds, of))
    return told(*said)


@given(TRIGGERS, histories(), st.data())
def test_it_does_not_matter_how_many_events_are_looked_at_at_once(
    trigger: Trigger, history: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history)))
    end = (history[-1].at - NOW).total_seconds() + 5 if history else 5
    whole = looked_at(trigger, history, until=end)
    half, first = looked_at(trigger, history[:cut])
    rest, second = looked_at(trigger, history[cut:], state_from_json(state_to_json(half)), until=end)
    assert (rest, [*first, *second]) == whole


@given(TRIGGERS, histories())
def test_no_two_firings_of_a_trigger_are_told_apart_by_nothing(trigger: Trigger, history: list[Event]) -> None:
    _, fired = looked_at(trigger, history, until=1000)
    assert len({one.once for one in fired}) == len(fired)


@given(TRIGGERS, histories())
def test_a_trigger_fires_by_itself_when_it_says_and_not_before(trigger: Trigger, history: list[Event]) -> None:
    state, _ = looked_at(trigger, history)
    end = next_end(trigger, state)
    _, fired = passed(trigger, state, at(10_000) if end is None else end - timedelta(seconds=1))
    assert fired == []


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_label_that_is_not_there_is_one_value_for_all(name: str) -> None:
    two = replace(EventTrigger(expect=name, threshold=2), for_each=("nothing",))
    assert seconds_fired(two, (name, 0, "x"), (name, 1, "y")) == [1]
