"""Events that people tell: what they may be called, and what they may carry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flowsource.errors import InvalidInput
from flowsource.event_names import our_event
from flowsource.events import MOST_PAYLOAD_BYTES, new_event

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["order.created", "order", "Order_1.x-y.z"])
def test_an_event_is_called_by_words_with_dots_between_them(name: str) -> None:
    assert new_event(name, at=NOW).name == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "order.",
            ".order",
            "order..created",
            "order created",
            "order.*",
            "größe",
            "a\n",
            "x" * 201,
            5,
            None,
        ),
        *(
            "flow-run.completed",
            "deployment.paused",
            "source.ok",
            "runner.x",
            "schedule.x",
            "trigger.cut",
            "deployment",
        ),
        *("prefect.flow-run.Completed", "flowsource.x"),
    ],
)
def test_another_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^name: "):
        new_event(name, at=NOW)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"payload": [1]}, "payload"),
        ({"payload": {"x": {1}}}, "payload.x"),
        ({"payload": {"x": float("nan")}}, "payload.x"),
        ({"payload": {"x": "y" * MOST_PAYLOAD_BYTES}}, "payload"),
        ({"resource": "order"}, "resource"),
        ({"resource": {"id": 17}}, "resource"),
        ({"related": {"role": "x"}}, "related"),
        ({"related": ["x"]}, "related.0"),
        ({"resource": {"id": "x" * 20_000}}, "resource, related"),
    ],
)
def test_what_an_event_cannot_carry_is_refused_by_its_name(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{field}: "):
        new_event("order.created", at=NOW, **said)


def test_a_payload_is_kept_as_it_was_when_it_was_told() -> None:
    payload = {"items": [1]}
    event = new_event("order.created", payload, resource={"prefect.resource.id": "order.17"}, at=NOW)
    payload["items"].append(2)
    assert (event.payload, event.resource) == ({"items": [1]}, {"flowsource.resource.id": "order.17"})


def test_an_event_that_only_prefect_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"prefect\.flow-run\.Completed"):
        our_event("prefect.flow-run.Late")
