"""What can be said as JSON, so that it means the same wherever it is read again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from math import isfinite
from typing import Any, TypeGuard

MOST_BYTES = 1024 * 1024
_DEEPEST = 100
# A longer one is infinite to readers that keep numbers as floats.
_MOST_BITS = 1024
# A datetime is a date too.
_AS_TEXT = ((datetime, "2026-01-01T02:00:00+00:00"), (date, "2026-01-01"), (time, "02:00:00"))


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether `value` is a number; True and False are none, as in JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def json_problems(values: Mapping[str, Any]) -> dict[str, str]:
    """Why `values` are no JSON object that can be kept: what is wrong, by its path (as `items.0.price`; "" for all).

    Empty when they are one, of at most MOST_BYTES. Values themselves are not repeated.
    """
    if not isinstance(values, Mapping):
        return {"": f"is a {type(values).__name__}; give a dict such as {{'day': '2026-01-01'}}"}
    problems = dict(_problems(dict(values), ()))
    if problems:
        return problems
    size = len(json.dumps(dict(values), separators=(",", ":")))
    if size > MOST_BYTES:
        return {"": f"{size:,} bytes as JSON are more than {MOST_BYTES:,}; hand over where the data is instead"}
    return {}


def _problems(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    where = ".".join(path)
    if len(path) > _DEEPEST:
        yield ".".join(path[:3]), f"is nested deeper than {_DEEPEST} levels"
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(name, str):
                yield from _problems(inner, (*path, name))
            else:
                yield where, f"has the name {name!r}, which is not text"
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _problems(inner, (*path, str(place)))
    elif why := _why_not(value):
        yield where, why


def _why_not(value: Any) -> str | None:
    """Why one value that holds no others is not JSON, or None when it is."""
    if isinstance(value, float) and not isfinite(value):
        return "is not a finite number; give one, or None"
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "is too long a number; give it as text"
    if value is None or isinstance(value, str | int | float):
        return None
    kind = type(value).__name__
    for known, example in _AS_TEXT:
        if isinstance(value, known):
            return f"is a {kind}, which is not JSON; give text such as {example!r}"
    return f"is of type {kind}, which is not JSON; give text, a number, a bool, None, a list or a dict"
