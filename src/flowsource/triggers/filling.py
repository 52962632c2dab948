"""Parameters that take what an event says: fixed placeholders, and no language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowsource.events import Event

_PLACEHOLDER = re.compile(r"\{\{\s*(event(?:\.[^\s.{}]+)+)\s*\}\}")
_BRACES = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_THEIR_LABELS = "flowsource.resource."


class PlaceholderUnknown(LookupError):
    """An event has nothing at the place that a parameter names."""


def check_placeholders(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Why a text in `parameters` is none that can be filled, by where it stands; empty when all can."""
    problems = {}
    for where, text in _texts(parameters, ()):
        for braces in _BRACES.findall(text):
            if not _PLACEHOLDER.fullmatch(braces):
                problems[where] = (
                    f"{braces!r} is no placeholder; give a place in the event, as in '{{{{ event.payload.id }}}}'"
                )
    return problems


def filled(parameters: Mapping[str, Any], event: Event | None) -> dict[str, Any]:
    """`parameters` with each placeholder replaced by what `event` says at that place.

    A text that is nothing but a placeholder becomes the value itself, of any type; inside a text it is written out.
    Raises PlaceholderUnknown, naming the place, where the event has none of it, or there is no event.
    """
    known = _tree_of(event) if event is not None else None
    return {name: _filled(value, known) for name, value in parameters.items()}


def _filled(value: Any, known: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(inner, known) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, known) for inner in value]
    if not isinstance(value, str):
        return value
    if whole := _PLACEHOLDER.fullmatch(value):
        return _found(whole[1], known)
    return _PLACEHOLDER.sub(lambda place: _written(_found(place[1], known)), value)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _found(place: str, known: Any) -> Any:
    if known is None:
        raise PlaceholderUnknown(f"{{{{ {place} }}}}: no event made it fire, but that there was none")
    try:
        return _value_at(known, place.split(".")[1:])
    except LookupError:
        raise PlaceholderUnknown(f"{{{{ {place} }}}}: the event has nothing there") from None


def _value_at(value: Any, way: list[str]) -> Any:
    if not way:
        return value
    if isinstance(value, list):
        return _value_at(value[int(way[0])] if way[0].isdecimal() else _none(), way[1:])
    if isinstance(value, Mapping):
        # A name may have dots in it, as those of labels have: the longest that is there is meant.
        for length in range(len(way), 0, -1):
            if (name := ".".join(way[:length])) in value:
                return _value_at(value[name], way[length:])
    return _none()


def _none() -> Any:
    raise LookupError


def _tree_of(event: Event) -> dict[str, Any]:
    """What can be named of an event; also by the names that it has in Prefect."""
    told = event.to_json()
    return {
        **told,
        "event": event.name,
        "occurred": told["at"],
        "resource": _with_short_names(event.resource),
        "related": [_with_short_names(labels) for labels in event.related],
    }


def _with_short_names(labels: Mapping[str, str]) -> dict[str, str]:
    return {**{name.removeprefix(_THEIR_LABELS): value for name, value in labels.items()}, **labels}


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield ".".join(path), value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _texts(inner, (*path, str(place)))
