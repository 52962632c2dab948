"""When a trigger fires: pure functions of what it has counted, of one event more, and of time.

Events are looked at one by one in their order, so that it does not matter how many are looked at at once, or by whom.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from flowsource.events import Event
from flowsource.triggers.counting import Counted, Grouped, Mark, State, Window
from flowsource.triggers.matching import covers, is_named, label_of
from flowsource.triggers.values import CompoundTrigger, EventTrigger, SequenceTrigger, Trigger

# Values of `for_each` that are counted at once; the window that began first gives way to one more.
MOST_WINDOWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """That a trigger fired: by the event of number `seq`, or where none came, by that which began its time, if any.

    `once` tells this firing of a trigger from all its others, whoever finds it.
    """

    at: datetime
    seq: int | None
    once: str


Step = tuple[State, list[Fired]]


def begun(trigger: Trigger, *, at: datetime) -> State:
    """What a trigger has counted that begins to look `at` that time."""
    if not isinstance(trigger, EventTrigger):
        return Grouped(inner=tuple(begun(inner, at=at) for inner in trigger.triggers))
    waits_at_once = trigger.posture == "Proactive" and not trigger.after and not trigger.for_each
    return Counted(windows={_key_of(trigger, None): Window(start=at)} if waits_at_once else {})


def seen(trigger: Trigger, state: State, event: Event) -> Step:
    """After one event more, and the time until then. The same `state` is returned where it makes no difference."""
    if isinstance(trigger, EventTrigger):
        assert isinstance(state, Counted)
        return _counted(trigger, state, event)
    assert isinstance(state, Grouped)
    return _grouped(trigger, state, lambda inner, counted: seen(inner, counted, event))


def passed(trigger: Trigger, state: State, now: datetime) -> Step:
    """After time has passed without an event. The same `state` is returned where it makes no difference."""
    if isinstance(trigger, EventTrigger):
        assert isinstance(state, Counted)
        return _passed(trigger, state, now)
    assert isinstance(state, Grouped)
    return _grouped(trigger, state, lambda inner, counted: passed(inner, counted, now))


def next_end(trigger: Trigger, state: State) -> datetime | None:
    """When it may fire although no event comes, if it ever does."""
    if isinstance(trigger, EventTrigger):
        assert isinstance(state, Counted)
        if trigger.posture == "Reactive":
            return None
        return min((window.start + trigger.time for window in state.windows.values()), default=None)
    assert isinstance(state, Grouped)
    ends = [next_end(inner, counted) for inner, counted in zip(trigger.triggers, state.inner, strict=True)]
    return min((end for end in ends if end is not None), default=None)


def _counted(trigger: EventTrigger, before: Counted, event: Event) -> Step:
    state, fired = _passed(trigger, before, event.at) if before.windows else (before, [])
    assert isinstance(state, Counted)
    expects = not trigger.expect or is_named(event.name, trigger.expect)
    begins = bool(trigger.after) and is_named(event.name, trigger.after)
    if not (expects or begins) or not covers(event, trigger.wanted, trigger.wanted_related):
        return state, fired
    key = _key_of(trigger, event)
    window = state.windows.get(key)
    after = window
    if expects and window is None and not trigger.after:
        window = Window(start=event.at, seq=event.seq)
    # What has been reached is not counted any further.
    if expects and window is not None and not window.has_fired and window.count < trigger.threshold:
        after = replace(window, count=window.count + 1)
        if after.count >= trigger.threshold:
            after, has_fired = _reached(trigger, after)
            if has_fired:
                fired = [*fired, Fired(at=event.at, seq=event.seq, once=f"event {event.seq}")]
    # Of what is waited for in vain the first counts, of what is waited for to happen the last.
    if begins and (after is None or trigger.posture == "Reactive"):
        after = Window(start=event.at, seq=event.seq)
    return _with_window(state, key, after), fired


def _reached(trigger: EventTrigger, window: Window) -> tuple[Window | None, bool]:
    """The window once it has all that is expected, if it goes on, and whether that fires."""
    if trigger.posture == "Proactive":
        return (None if trigger.after else window), False
    goes_on = trigger.time and not trigger.after
    return (replace(window, has_fired=True) if goes_on else None), not window.has_fired


def _with_window(state: Counted, key: str, window: Window | None) -> Counted:
    if state.windows.get(key) == window:
        return state
    windows = dict(state.windows)
    if window is None:
        windows.pop(key, None)
    else:
        windows[key] = window
        if len(windows) > MOST_WINDOWS:
            del windows[next(iter(windows))]
    return Counted(windows=windows)


def _passed(trigger: EventTrigger, state: Counted, now: datetime) -> Step:
    if not trigger.time or all(window.start + trigger.time > now for window in state.windows.values()):
        return state, []
    windows: dict[str, Window] = {}
    fired: list[Fired] = []
    for key, window in state.windows.items():
        end = window.start + trigger.time
        if end > now:
            windows[key] = window
            continue
        if trigger.posture == "Reactive":
            continue
        ended = (now - window.start) // trigger.time
        if window.count >= trigger.threshold:
            # Nothing at all came in the time after that, if it is over too.
            end += trigger.time
        if end <= now:
            fired.append(Fired(at=end, seq=window.seq, once=f"{key} until {end.isoformat()}"))
        if not trigger.after:
            # What ended while nobody looked is told once, and not for each time.
            windows[key] = Window(start=window.start + trigger.time * ended)
    return Counted(windows=windows), fired


def _key_of(trigger: EventTrigger, event: Event | None) -> str:
    return json.dumps([label_of(event, label) for label in trigger.for_each] if event is not None else [])


def _grouped(
    trigger: CompoundTrigger | SequenceTrigger, before: Grouped, look: Callable[[Trigger, State], Step]
) -> Step:
    looks = [look(inner, counted) for inner, counted in zip(trigger.triggers, before.inner, strict=True)]
    inner = tuple(state for state, _ in looks)
    news = {place: fired[-1] for place, (_, fired) in enumerate(looks) if fired}
    if not news:
        is_same = all(one is other for one, other in zip(inner, before.inner, strict=True))
        return (before if is_same else replace(before, inner=inner)), []
    step = before.steps + 1
    last = max(news.values(), key=lambda fired: fired.at)
    marks = {**before.marks, **{place: Mark(fired.at, step) for place, fired in news.items()}}
    if trigger.time:
        marks = {place: mark for place, mark in marks.items() if mark.at > last.at - trigger.time}
    if _is_complete(trigger, marks):
        return Grouped(inner=inner, steps=step), [last]
    return Grouped(inner=inner, marks=marks, steps=step), []


def _is_complete(trigger: CompoundTrigger | SequenceTrigger, marks: Mapping[int, Mark]) -> bool:
    if isinstance(trigger, CompoundTrigger):
        return len(marks) >= trigger.count
    if len(marks) < len(trigger.triggers):
        return False
    steps = [marks[place].step for place in range(len(trigger.triggers))]
    return all(one < other for one, other in pairwise(steps))
