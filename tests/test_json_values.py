"""What can be said as JSON, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import pytest

from flowsource.json_values import MOST_BYTES, json_problems


class Level(IntEnum):
    LOW = 1


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return {"deep": value}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": "ä", "number": 1, "fraction": 0.5, "flag": True, "nothing": None, "many": [1, (2, {"in": "side"})]},
        MappingProxyType({"level": Level.LOW}),
        {"text": "x" * (MOST_BYTES - len('{"text":""}'))},
        nested(90),
    ],
)
def test_what_json_has_is_fine(values: Mapping[str, Any]) -> None:
    assert json_problems(values) == {}


@pytest.mark.parametrize(
    ("values", "where", "why"),
    [
        ({"day": date(2026, 1, 2)}, "day", "is a date, which is not JSON; give text such as '2026-01-01'"),
        ({"at": datetime(2026, 1, 2, tzinfo=UTC)}, "at", "is a datetime, which"),
        ({"items": [{"price": float("nan")}]}, "items.0.price", "is not a finite number"),
        ({"x": float("-inf")}, "x", "is not a finite number"),
        ({"x": Decimal(1)}, "x", "is of type Decimal"),
        ({"x": {1, 2}}, "x", "is of type set"),
        ({"x": 10**5000}, "x", "is too long a number"),
        ({"x": {1: 2}}, "x", "has the name 1, which is not text"),
        ({1: 2}, "", "has the name 1, which is not text"),
        ([1], "", "is a list; give a dict"),
        ({"x": "y" * MOST_BYTES}, "", "more than 1,048,576"),
        (nested(200), "deep.0.0", "is nested deeper than 100 levels"),
    ],
)
def test_what_json_has_not_is_named_by_its_path(values: Any, where: str, why: str) -> None:
    problems = json_problems(values)
    assert list(problems) == [where]
    assert why in problems[where]


def test_what_holds_itself_is_nested_too_deep() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert "nested" in json_problems({"ring": ring})["ring.0.0"]
