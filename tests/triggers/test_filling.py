"""Parameters take what an event says, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from flowsource.triggers.filling import PlaceholderUnknown, filled
from tests.triggers.telling import event

ORDER = event(
    "order.created",
    resource={"flowsource.resource.id": "order.17", "shop": "x"},
    related=({"flowsource.resource.role": "flow"},),
    payload={"id": 17, "items": [{"n": None}], "dotted.name": {"x": True}, "text": "{{ event.name }}"},
)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("{{ event.payload.id }}", 17),
        ("{{event.payload.items.0.n}}", None),
        ("{{ event.payload.items }}", [{"n": None}]),
        ("{{ event.payload.dotted.name.x }}", True),
        ("order {{ event.payload.id }} of {{ event.resource.shop }}", "order 17 of x"),
        ("{{ event.payload.items }}!", '[{"n": null}]!'),
        ("{{ event.resource.id }}", "order.17"),
        ("{{ event.resource.flowsource.resource.id }}", "order.17"),
        ("{{ event.related.0.role }}", "flow"),
        ("{{ event.name }} {{ event.event }}", "order.created order.created"),
        ("{{ event.occurred }}", "2030-01-01T12:00:00+00:00"),
        # What an event says is put in, and not looked at.
        ("{{ event.payload.text }}", "{{ event.name }}"),
        ("no { place }", "no { place }"),
        ([{"deep": "{{ event.payload.id }}"}], [{"deep": 17}]),
        (5, 5),
    ],
)
def test_a_place_in_an_event_is_filled_in(said: Any, value: Any) -> None:
    assert filled({"x": said}, ORDER) == {"x": value}


@pytest.mark.parametrize(
    "place",
    [
        "payload.other",
        "payload.id.more",
        "payload.items.1",
        "payload.items.x",
        "resource.name",
        "nothing",
        "payload.items.-1",
    ],
)
def test_a_place_that_an_event_has_not_is_named(place: str) -> None:
    with pytest.raises(PlaceholderUnknown, match=f"event.{place}"):
        filled({"x": f"{{{{ event.{place} }}}}"}, ORDER)


def test_without_an_event_there_is_no_place() -> None:
    assert filled({"x": 1}, None) == {"x": 1}
    with pytest.raises(PlaceholderUnknown, match="no event"):
        filled({"x": "{{ event.name }}"}, None)
