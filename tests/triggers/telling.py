"""Events as the tests of triggers tell them, in short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flowsource.events import Event
from flowsource.triggers import Trigger
from flowsource.triggers.counting import State, state_from_json, state_to_json
from flowsource.triggers.evaluating import Fired, begun, passed, seen

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after the beginning."""
    return NOW + timedelta(seconds=seconds)


def event(name: str, seconds: float = 0, *, seq: int = 1, of: str = "", **said: Any) -> Event:
    """An event of that name, that happened to `of` so many seconds after the beginning."""
    resource = {"flowsource.resource.id": of} if of else {}
    return Event(seq=seq, id=UUID(int=seq), at=at(seconds), name=name, **{"resource": resource, **said})


def told(*said: tuple[Any, ...]) -> list[Event]:
    """Events in their order, each by its name, its second and what it happened to."""
    return [event(name, seconds, seq=seq, of=of[0] if of else "") for seq, (name, seconds, *of) in enumerate(said, 1)]


def looked_at(
    trigger: Trigger, events: list[Event], state: State | None = None, *, until: float | None = None
) -> tuple[State, list[Fired]]:
    """What a trigger has counted after these events, and when no more came until that second, with what it fired.

    It is kept and read in between, as it is by a store.
    """
    state = begun(trigger, at=NOW) if state is None else state
    fired: list[Fired] = []
    for one in events:
        state, more = seen(trigger, state_from_json(state_to_json(state)), one)
        fired += more
    if until is not None:
        state, more = passed(trigger, state, at(until))
        fired += more
    return state, fired


def seconds_fired(trigger: Trigger, *said: tuple[Any, ...], until: float | None = None) -> list[float]:
    """When a trigger fires, in seconds from the beginning."""
    _, fired = looked_at(trigger, told(*said), until=until)
    return [(one.at - NOW).total_seconds() for one in fired]
