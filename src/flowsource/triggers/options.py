"""What a trigger says beside the events that it waits for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from flowsource.errors import InvalidDeployment
from flowsource.json_values import json_problems
from flowsource.schedules.options import LENGTHS_THERE_ARE, length_of
from flowsource.triggers.filling import check_placeholders

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerOptions:
    """What every trigger of a deployment takes by keyword.

    `parameters` are for its runs, over those of the deployment; `{{ event.payload.id }}` in one stands for what the
    event that made it fire says there. `name` names it within its deployment. One that is not `enabled` is kept and
    does not fire. Its runs come due `schedule_after` (seconds, or a timedelta) it fired. Raises InvalidDeployment for
    what cannot be used.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    enabled: bool = True
    schedule_after: float | timedelta = timedelta(0)

    @property
    def delay(self) -> timedelta:
        """How long after it fired its run comes due."""
        return cast(timedelta, self.schedule_after)

    def check_options(self) -> None:
        """Raise InvalidDeployment naming the first of these that cannot be used; keep lengths of time as such."""
        given = {} if self.parameters is None else self.parameters
        if problems := json_problems(given) or check_placeholders(given):
            said = (f"{'.'.join(filter(None, ('parameters', where)))}: {why}" for where, why in problems.items())
            raise InvalidDeployment(f"{'; '.join(said)}.")
        object.__setattr__(self, "parameters", dict(given))
        if self.name is not None and not _is_name(self.name):
            raise InvalidDeployment(f"name: {self.name!r} is not a name; give up to {_LONGEST_NAME} signs on one line.")
        if not isinstance(self.enabled, bool):
            raise InvalidDeployment(f"enabled: {self.enabled!r} is neither True nor False; give one.")
        object.__setattr__(self, "schedule_after", checked_length(self.schedule_after, name="schedule_after"))

    def options_to_json(self) -> dict[str, Any]:
        """Those that were given, as JSON."""
        said = {
            "parameters": dict(self.parameters) or None,
            "name": self.name,
            "enabled": None if self.enabled else False,
            "schedule_after": self.delay.total_seconds() or None,
        }
        return {name: value for name, value in said.items() if value is not None}


def options_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `options_to_json` told of."""
    return {name: data[name] for name in ("parameters", "name", "enabled", "schedule_after") if name in data}


def checked_length(length: object, *, name: str) -> timedelta:
    """A length of time that was given as `name`, in seconds or as a timedelta; raises InvalidDeployment."""
    if (wanted := length_of(length)) is None:
        raise InvalidDeployment(f"{name}: {length!r} is not a length of time; {LENGTHS_THERE_ARE}.")
    return wanted


def checked_texts(given: object, *, name: str) -> tuple[str, ...]:
    """Texts that were given as `name`, one or several, each once and in one order; raises InvalidDeployment."""
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, Collection) or isinstance(listed, bytes | Mapping):
        raise InvalidDeployment(f"{name}: {given!r} is not a set of texts; give one such as {{'order.created'}}.")
    if not all(isinstance(text, str) and text for text in listed):
        raise InvalidDeployment(f"{name}: {given!r} holds what is no text; give a set such as {{'order.created'}}.")
    return tuple(sorted(set(listed)))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name.strip()) and name.isprintable() and len(name) <= _LONGEST_NAME
