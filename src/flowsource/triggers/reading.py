"""A trigger as people give it from outside the code: as JSON, of which only what matters need be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from flowsource.errors import InvalidDeployment
from flowsource.triggers.arguments import SHORT_FORMS, triggers_from_arguments
from flowsource.triggers.options import TriggerOptions
from flowsource.triggers.values import CompoundTrigger, EventTrigger, SequenceTrigger, Trigger

_KINDS: Mapping[str, type[Trigger]] = {
    "event": EventTrigger,
    "compound": CompoundTrigger,
    "sequence": SequenceTrigger,
}
_OPTIONS = frozenset(field.name for field in fields(TriggerOptions))
# Each level is read by a call; no trigger may have more than ten.
_DEEPEST = 20


def trigger_from_said(said: Mapping[str, Any]) -> Trigger:
    """The trigger that `said` describes: the fields of one of its `kind` ("event" where none is said), or one of the
    short forms such as `on_completion_of`, with the options that go with either.

    Lengths of time are in seconds. What `trigger_to_json` says is read too. Raises InvalidDeployment naming what
    cannot be used.

    >>> trigger_from_said({"expect": "order.created"}).describe()
    'order.created'
    """
    short = {name: said[name] for name in SHORT_FORMS if name in said}
    if not short:
        return _read(said, place="", depth=0)
    options = {name: value for name, value in said.items() if name in _OPTIONS}
    _refuse_others(said, {*short, *options}, "", f"{', '.join(short)} goes with {', '.join(sorted(_OPTIONS))} alone")
    made = triggers_from_arguments(short)
    if len(made) != 1:
        raise InvalidDeployment(f"{', '.join(short)}: give one deployment; another trigger is for another.")
    return replace(made[0], **options)


def _read(said: Any, *, place: str, depth: int) -> Trigger:
    if not isinstance(said, Mapping):
        raise InvalidDeployment(f"{place.rstrip('.') or 'trigger'}: {said!r} is not a trigger; give an object.")
    if depth > _DEEPEST:
        raise InvalidDeployment("triggers: they are nested too deep.")
    name = said.get("kind", "event")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InvalidDeployment(f"{place}kind: {name!r} is none; there are {', '.join(_KINDS)}.")
    known = [field.name for field in fields(kind)]
    _refuse_others(said, {"kind", *known}, place, f"of a trigger of the kind {name} there are {', '.join(known)}")
    given = {field: value for field, value in said.items() if field != "kind"}
    inner = given.get("triggers")
    if isinstance(inner, list):
        given["triggers"] = [
            _read(each, place=f"{place}triggers.{number}.", depth=depth + 1) for number, each in enumerate(inner)
        ]
    return kind(**given)


def _refuse_others(said: Mapping[str, Any], known: set[str], place: str, why: str) -> None:
    if others := sorted(said.keys() - known):
        raise InvalidDeployment(f"{place}{others[0]}: there is no such field; {why}.")
