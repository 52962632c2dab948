"""What of a document of the API breaks those who use it: what they may send or get no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def breaking_changes(before: Document, after: Document) -> list[str]:
    """What was in `before` and is not in `after`, or is wanted there and was not: one line each."""
    return [*_operations(before, after), *_schemas(before, after)]


def _operations(before: Document, after: Document) -> Iterator[str]:
    for path, methods in before["paths"].items():
        for method, operation in methods.items():
            now = after["paths"].get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            if now is None:
                yield f"{where} is gone"
                continue
            yield from _parameters(where, _by_name(operation), _by_name(now))
            if "requestBody" in now and "requestBody" not in operation:
                yield f"{where} wants a body"


def _by_name(operation: Document) -> dict[tuple[str, str], Document]:
    return {(one["in"], one["name"]): one for one in operation.get("parameters", ())}


def _parameters(
    where: str, before: Mapping[tuple[str, str], Document], after: Mapping[tuple[str, str], Document]
) -> Iterator[str]:
    for place, name in before.keys() - after.keys():
        yield f"{where}: the parameter {name} ({place}) is gone"
    for key, parameter in after.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"{where}: the parameter {key[1]} ({key[0]}) is required"


def _schemas(before: Document, after: Document) -> Iterator[str]:
    known = after["components"]["schemas"]
    for name, schema in before["components"]["schemas"].items():
        now = known.get(name)
        if now is None:
            yield f"{name} is gone"
            continue
        properties, left = schema.get("properties", {}), now.get("properties", {})
        for field in properties.keys() - left.keys():
            yield f"{name}.{field} is gone"
        for field in properties.keys() & left.keys():
            if _types(properties[field]) - _types(left[field]):
                yield f"{name}.{field} is of another type"
        for value in set(schema.get("enum", ())) - set(now.get("enum", ())):
            yield f"{name} is never {value} any more"
        # What is answered may be told in full from now on; what is sent must not have to be.
        if now.get("additionalProperties") is False:
            for field in set(now.get("required", ())) - set(schema.get("required", ())):
                yield f"{name}.{field} is required"


def _types(schema: Document) -> set[str]:
    """The kinds of value that a schema takes."""
    if "anyOf" in schema:
        return set().union(*(_types(one) for one in schema["anyOf"]))
    return {str(schema.get("$ref") or schema.get("type") or "any")}
