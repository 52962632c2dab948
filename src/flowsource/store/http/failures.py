"""Errors on their way through HTTP: of the same type, with the same fields and the same words on the other side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowsource import errors
from flowsource.errors import FlowsourceError, QueryProblem
from flowsource.store.http.codec import Codec, WrongType, codec_of
from flowsource.text import printable

_KINDS: Mapping[str, type[FlowsourceError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, FlowsourceError) and kind.__module__ == errors.__name__
}

_LONGEST = 10_000
# Of the fields that are no JSON themselves.
_CODECS: Mapping[tuple[str, str], Codec] = {("InvalidQuery", "problems"): codec_of(tuple[QueryProblem, ...])}

# The first that fits counts, so what is special stands before what is general.
_STATUSES: Mapping[type[FlowsourceError], int] = {
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.InvalidTransition: 409,
    errors.Superseded: 409,
    errors.Outdated: 409,
    errors.InConflict: 409,
    errors.StoreVersionMismatch: 409,
    errors.StoreUnavailable: 503,
}


def status_of(error: FlowsourceError) -> int:
    """The HTTP status that goes with an error."""
    return next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)


def error_json(error: FlowsourceError) -> dict[str, Any]:
    """An error as JSON, from which `error_from` makes the same one."""
    kind = type(error).__name__
    fields = {name: _plain(value, _CODECS.get((kind, name))) for name, value in vars(error).items()}
    return {"type": kind, "message": str(error), "fields": fields}


def error_from(data: Any) -> FlowsourceError | None:
    """The error that `error_json` told; None for what tells none that is known here."""
    if not isinstance(data, dict) or data.keys() != {"type", "message", "fields"}:
        return None
    kind, message, fields = _KINDS.get(data["type"]), data["message"], data["fields"]
    if kind is None or not isinstance(message, str) or not isinstance(fields, dict):
        return None
    # It is told to people, who may not trust the server.
    message = printable(message[:_LONGEST])
    # Past `__init__`, which would make the message from fields of its own: the words are as they were said.
    error = kind.__new__(kind, message)
    error.args = (message,)
    try:
        said = {name: _value(data, _CODECS.get((kind.__name__, name))) for name, data in fields.items()}
    except WrongType:
        return None
    vars(error).update(said)
    return error


def _plain(value: Any, codec: Codec | None) -> Any:
    if codec is not None:
        return codec.encode(value)
    return list(value) if isinstance(value, tuple) else value


def _value(data: Any, codec: Codec | None) -> Any:
    if codec is not None:
        return codec.decode(data)
    return tuple(data) if isinstance(data, list) else data
