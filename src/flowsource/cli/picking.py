"""Which schedule or trigger of a deployment a person means."""

from __future__ import annotations

from collections.abc import Sequence

from flowsource.errors import InvalidInput, ScheduleNotFound, TriggerNotFound
from flowsource.store.values import ScheduleState, TriggerState

_LEAST_DIGITS = 4


def name_of(state: ScheduleState | TriggerState) -> str:
    """How a person names one within its deployment: by its slug or name, else by the beginning of its key."""
    return _own_name(state) or state.key[:8]


def pick_schedule(name: str, states: Sequence[ScheduleState]) -> str:
    """The key of the schedule that is meant by `name`: its slug, its key, or a beginning of its key that no other has.

    Raises ScheduleNotFound with those there are, InvalidInput where more than one could be meant.
    """
    if key := _picked(name, states):
        return key
    raise ScheduleNotFound(name, [name_of(state) for state in states])


def pick_trigger(name: str, states: Sequence[TriggerState]) -> str:
    """The key of the trigger that is meant by `name`: its name, its key, or a beginning of its key that no other has.

    Raises TriggerNotFound with those there are, InvalidInput where more than one could be meant.
    """
    if key := _picked(name, states):
        return key
    raise TriggerNotFound(name, [name_of(state) for state in states])


def _picked(name: str, states: Sequence[ScheduleState] | Sequence[TriggerState]) -> str | None:
    for fits in (
        [state.key for state in states if name in (_own_name(state), state.key)],
        [state.key for state in states if len(name) >= _LEAST_DIGITS and state.key.startswith(name)],
    ):
        if len(fits) > 1:
            raise InvalidInput(f"{name}: more than one begins with that; give more of its key.")
        if fits:
            return fits[0]
    return None


def _own_name(state: ScheduleState | TriggerState) -> str | None:
    return state.schedule.slug if isinstance(state, ScheduleState) else state.trigger.name
