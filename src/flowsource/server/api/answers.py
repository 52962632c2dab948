"""Answers of the API: a value, or a part of a list with a cursor for the next."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from starlette.responses import Response

from flowsource.errors import InvalidInput
from flowsource.store.values import Page

T = TypeVar("T")

LARGEST_PAGE = 500
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many there are in an answer at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the answer before.")]


def answer(value: Any, status: int = 200) -> Response:
    """`value` as JSON, as `json_shapes` made it."""
    return Response(json.dumps(value), status, media_type="application/json")


def told(model: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """For the document: what an answer is like. It is made by `json_shapes`, so that nothing is made twice."""
    return {status: {"model": model, "description": "Done."}}


def page(items: Sequence[T], limit: int, shape: Callable[[T], Any], place: Callable[[T], str]) -> Response:
    """The first `limit` of `items`, of which there may be one more; `place` is what comes after that begins with."""
    shown = items[:limit]
    return part([shape(item) for item in shown], place(shown[-1]) if len(items) > limit else None)


def part(items: Sequence[Any], following: str | None) -> Response:
    """A part of a list; `following` is the place behind it, unless it was the last."""
    return answer({"items": list(items), "next": _encoded(following) if following is not None else None})


def found(part: Page[T], shape: Callable[[T], Any]) -> Response:
    """A part of a list as the store gave it, with its own cursor."""
    return answer({"items": [shape(item) for item in part.items], "next": part.cursor})


def after(cursor: str | None) -> str | None:
    """The place that a cursor tells; raises InvalidInput for what is none."""
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise InvalidInput("cursor: it is none of ours. Give `next` of an answer as it is, or leave it out.") from None


def behind(items: Sequence[T], cursor: str | None, place: Callable[[T], str]) -> list[T]:
    """Those of `items`, which are in the order of their places, that come after the cursor."""
    begin = after(cursor)
    return [item for item in items if begin is None or place(item) > begin]


def newest_first(seq: int) -> str:
    """The place of what has that number in a list that has the highest first: counted down they are in its order."""
    return f"{(1 << 63) - seq:019}"


def _encoded(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()
