"""What a trigger has counted so far, as it is kept between one look and the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which events are counted, from `start`; `seq` is the event that began it, if one did.

    One that `has_fired` goes on until its end, and fires no more.
    """

    start: datetime
    count: int = 0
    has_fired: bool = False
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The windows of an event trigger, by the values of its `for_each`, in the order in which they began."""

    windows: Mapping[str, Window]


@dataclass(frozen=True, slots=True)
class Mark:
    """That one of several triggers fired: when, and at which step of looking at them."""

    at: datetime
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """What each of several triggers has counted, and which of them fired last when, by their places."""

    inner: tuple[State, ...]
    marks: Mapping[int, Mark] = field(default_factory=dict)
    steps: int = 0


State = Counted | Grouped


def state_to_json(state: State) -> dict[str, Any]:
    """A mapping of JSON values from which `state_from_json` makes an equal one."""
    if isinstance(state, Counted):
        return {"windows": {key: _window_to_json(window) for key, window in state.windows.items()}}
    return {
        "inner": [state_to_json(each) for each in state.inner],
        "marks": {str(place): [mark.at.isoformat(), mark.step] for place, mark in state.marks.items()},
        "steps": state.steps,
    }


def state_from_json(data: Mapping[str, Any]) -> State:
    """What `state_to_json` described."""
    if "windows" in data:
        return Counted(windows={key: _window_from_json(window) for key, window in data["windows"].items()})
    marks = {int(place): Mark(datetime.fromisoformat(at), step) for place, (at, step) in data["marks"].items()}
    return Grouped(inner=tuple(map(state_from_json, data["inner"])), marks=marks, steps=data["steps"])


def _window_to_json(window: Window) -> list[Any]:
    return [window.start.isoformat(), window.count, window.has_fired, window.seq]


def _window_from_json(data: list[Any]) -> Window:
    start, count, has_fired, seq = data
    return Window(start=datetime.fromisoformat(start), count=count, has_fired=has_fired, seq=seq)
