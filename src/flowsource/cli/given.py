"""What a person gives at the command line: parameters, times and states, as values."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

from cyclopts import Parameter

from flowsource.errors import InvalidInput
from flowsource.runs import RunState


def _refuse_option(_kind: object, given: str | tuple[str, ...]) -> None:
    for word in (given,) if isinstance(given, str) else given:
        if word.startswith("--"):
            raise ValueError(f"Unknown option: {word}.")


# A word of a query may be negated, with what begins an option elsewhere.
MayBeNegated = Parameter(allow_leading_hyphen=True, validator=_refuse_option)
Words = Annotated[str, MayBeNegated]

# What a schema may say without narrowing down which values fit.
_ANNOTATIONS = frozenset({"title", "description", "default", "examples"})


def parameters_from(params: str | None, pairs: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that `--params` and each `-p name=value` give; the latter go over the former.

    Raises InvalidInput naming the option that cannot be understood.
    """
    values = object_from(params, option="--params") if params is not None else {}
    properties = schema.get("properties", {})
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"-p {pair}: give it as name=value.")
        values[name] = value_from(text, {**properties.get(name, {}), "$defs": schema.get("$defs", {})})
    return values


def value_from(text: str, schema: Mapping[str, Any]) -> Any:
    """`text` as JSON where it is some that the schema of its parameter asks for, else as it is.

    >>> value_from("5", {"type": "integer"}), value_from("5", {"type": "string"}), value_from("5", {})
    (5, '5', 5)
    >>> value_from("Berlin", {}), value_from("null", {"anyOf": [{"type": "string"}, {"type": "null"}]})
    ('Berlin', None)
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text
    if not set(schema) - _ANNOTATIONS - {"$defs"}:
        return value
    takes_text = _fits(text, schema)
    return text if takes_text and (isinstance(value, str) or not _fits(value, schema)) else value


def instant_from(text: str, *, option: str = "--at") -> datetime:
    """The instant that an ISO 8601 text given for `option` names, on this machine's clock where it has no offset."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        said = "give a time such as 2026-03-01T02:00 or 2026-03-01T02:00+01:00"
        raise InvalidInput(f"{option} {text}: {said}.") from None


def state_from(text: str) -> RunState:
    """The state of that name, written with `_`, `-` or a space."""
    try:
        return RunState(text.lower().replace("-", "_").replace(" ", "_"))
    except ValueError:
        raise InvalidInput(f"--state {text}: there is no such state; there are {', '.join(RunState)}.") from None


def check_limit(limit: int) -> None:
    """Raise InvalidInput for a `--limit` that leaves nothing to list."""
    if limit < 1:
        raise InvalidInput(f"--limit {limit}: give 1 or more.")


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # A registry of its own: a reference in a schema must never make us fetch anything.
    return Draft202012Validator(dict(schema), registry=Registry()).is_valid(value)


def object_from(given: str, *, option: str) -> dict[str, Any]:
    """The JSON object that is given to `option`, as text, as `@file`, or as `-` for standard input.

    Raises InvalidInput naming the option where it is none.
    """
    where, text = _read(given, option)
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        # Of the text itself nothing is repeated: it may hold a secret.
        raise InvalidInput(
            f"{option}: {where} is not JSON ({error}). Give an object such as '{{\"day\": 1}}'."
        ) from None
    if not isinstance(values, dict):
        raise InvalidInput(f"{option}: {where} is JSON but no object. Give one such as '{{\"day\": 1}}'.")
    return values


def _read(given: str, option: str) -> tuple[str, str]:
    """What to call the place that the text of `option` comes from, and the text there."""
    try:
        if given == "-":
            return "standard input", sys.stdin.read()
        if given.startswith("@"):
            return given[1:], Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput(f"{option} {given}: it cannot be read ({why}).") from None
    return "what was given", given


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
