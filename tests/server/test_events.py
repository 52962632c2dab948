"""Events, triggers and firings over the API."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from flowsource.server.api import models
from flowsource.store.protocol import Store
from flowsource.store.values import NewFiring
from flowsource.triggers import EventTrigger
from tests.server.shapes import is_as
from tests.server.test_lists import all_of
from tests.store.words import SECOND, registration, serve

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


async def test_events_are_told_once_and_listed_newest_first(client: httpx.AsyncClient) -> None:
    ids = [str(uuid4()) for _ in range(5)]
    for number, one in enumerate((*ids, ids[0])):
        told = await client.post("/events", json={"name": "order.created", "id": one, "payload": {"n": number}})
        assert (told.status_code, told.json()) == (201, {"id": one})
    await client.post("/events", json={"name": "order.paid"})

    found = await all_of(client, "/events", names=["order.created", "nothing.*"], limit=2)

    assert [event["payload"]["n"] for event in found] == [4, 3, 2, 1, 0]
    assert all(is_as(models.Event, event) for event in found)
    assert (await all_of(client, "/events", names="order.*", limit=1))[0]["name"] == "order.paid"
    assert (await client.get(f"/events/{found[0]['seq']}")).json() == found[0]
    assert (await client.get("/events/999")).status_code == 404
    assert (await client.get(f"/events/{1 << 63}")).status_code == 422


@pytest.mark.parametrize(
    "body", [{}, {"name": "flow-run.failed"}, {"name": "a b"}, {"name": "a.b", "id": "x"}, {"name": "a.b", "at": 1}]
)
async def test_what_cannot_be_an_event_is_refused(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await client.post("/events", json=body)).status_code == 422
    assert await all_of(client, "/events", names=["order.*", "a.*"]) == []


async def test_triggers_and_their_firings_are_shown(client: httpx.AsyncClient, store: Store) -> None:
    trigger = EventTrigger(expect={"order.created"})
    server = await serve(store, registration(triggers=(trigger,)), now=NOW)
    for number in range(3):
        [state] = await store.triggers([server.deployment.id])
        at = NOW + number * SECOND
        fired = [NewFiring(once=str(number), at=at, event=None)]
        await store.move_trigger(state, state=state.state, cursor=state.cursor, fired=fired, now=at)
    where = "/deployments/etl/nightly"

    [shown] = (await client.get(f"{where}/triggers")).json()
    firings = await all_of(client, f"{where}/firings", limit=2)

    assert is_as(models.Trigger, shown)
    assert shown["said"] == trigger.describe()
    assert all(is_as(models.Firing, one) for one in firings)
    runs = [str(run.id) for run in await store.runs()]
    assert [one["run_id"] for one in firings] == runs
    assert len(runs) == 3
    for what in ("triggers", "firings"):
        assert (await client.get(f"/deployments/etl/other/{what}")).status_code == 404


async def test_triggers_are_added_held_and_removed_in_the_name_of_a_token(
    client: httpx.AsyncClient, store: Store
) -> None:
    server = await serve(store, registration(), now=NOW)
    where = "/deployments/etl/nightly/triggers"

    asked = {"kind": "event", "expect": "order.*", "threshold": 2, "name": "orders", "reason": "they pile up"}
    added = await client.post(where, json=asked)
    again = await client.post(where, json=asked)
    follows = await client.post(where, json={"on_completion_of": "load/daily"})

    assert (added.status_code, again.status_code, follows.status_code) == (201, 409, 201)
    assert is_as(models.Trigger, added.json())
    assert (added.json()["said"], added.json()["origin"]) == ("2 x order.*", "person")
    key = added.json()["key"]
    held = await client.post(f"{where}/{key}/pause", json={})
    assert (held.json()["enabled"], held.json()["held"]) == (False, True)
    assert (await client.post(f"{where}/{key}/resume", json={})).json()["enabled"] is True
    assert (await client.delete(f"{where}/{key}")).status_code == 200
    assert (await client.delete(f"{where}/{key}")).status_code == 404
    assert [one["key"] for one in (await client.get(where)).json()] == [follows.json()["key"]]
    by, reason = {(entry.by, entry.reason) for entry in await store.history(server.deployment.id) if entry.reason}.pop()
    assert (by, reason) == (added.json()["added_by"], "they pile up")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, None),
        ({"expect": "a", "threshold": 0}, "threshold"),
        ({"expect": "a", "require": "any"}, "require"),
        ({"kind": "sequence", "triggers": [{"expect": "a", "x": 1}]}, "triggers.0.x"),
        ({"on_completion_of": "etl/nightly"}, "again and again"),
    ],
)
async def test_what_is_no_trigger_is_refused_by_the_name_of_its_field(
    client: httpx.AsyncClient, store: Store, body: dict[str, object], said: str | None
) -> None:
    await serve(store, registration(), now=NOW)
    answer = await client.post("/deployments/etl/nightly/triggers", json=body)
    if said is None:
        assert answer.status_code == 201
        assert answer.json()["said"] == "any event"
    else:
        assert answer.status_code == 422
        assert said in answer.text
