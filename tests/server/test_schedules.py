"""Schedules over the API: added, held, removed, and tried out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from flowsource.server.api import models
from flowsource.store.protocol import Store
from tests.server.shapes import is_as
from tests.store.words import Server

pytestmark = pytest.mark.anyio

WHERE = "/deployments/etl/nightly/schedules"


async def test_a_schedule_is_added_held_resumed_and_removed(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    asked = {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "slug": "early", "parameters": {"day": "monday"}}
    added = await client.post(WHERE, json={**asked, "jitter": 5, "max_lateness": 60, "reason": "holidays"})
    assert added.status_code == 201
    key = added.json()["key"]
    held = (await client.post(f"{WHERE}/{key}/pause", json={})).json()
    on = (await client.post(f"{WHERE}/{key}/resume", json={})).json()
    listed = (await client.get("/schedules", params={"next": 3})).json()["items"]
    removed = await client.request("DELETE", f"{WHERE}/{key}", params={"reason": "over"})

    assert all(is_as(models.Schedule, one) for one in (added.json(), held, on, removed.json(), *listed))
    assert (added.json()["slug"], added.json()["added_by"], added.json()["parameters"]) == (
        "early",
        "anna",
        {"day": "monday"},
    )
    assert [one["held"] for one in (added.json(), held, on)] == [False, True, False]
    assert (held["next_at"], len(added.json()["next"])) == (None, 1)
    assert [len(one["next"]) for one in listed] == [3, 3]
    assert [one.added_by for one in await store.schedules([runner.deployment.id])] == [None]
    told = (await client.get("/deployments/etl/nightly/history")).json()["items"]
    assert {one["reason"] for one in told} >= {"holidays", "over"}
    for act in (f"{WHERE}/{key}/pause", f"{WHERE}/none/resume"):
        assert (await client.post(act, json={})).status_code == 404
    assert (await client.delete(f"{WHERE}/{key}")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cron": "0 2 * * *", "interval": 60},
        {"cron": "0 2 30 2 *"},
        {"cron": "0 2 * * *", "anchor": "2026-01-01T00:00:00Z"},
        {"cron": "0 2 * * *", "timezone": "Europe/Atlantis"},
        {"interval": 0.1},
        {"interval": 60, "anchor": "2026-01-01T00:00:00"},
        {"rrule": "FREQ=NEVER"},
        {"cron": "0 2 * * *", "parameters": {"week": 1}},
        {"cron": "0 2 * * *", "slug": "a\nb"},
    ],
)
async def test_what_cannot_be_a_schedule_is_refused(
    client: httpx.AsyncClient, store: Store, runner: Server, body: dict[str, Any]
) -> None:
    assert (await client.post(WHERE, json=body)).status_code == 422
    assert len(await store.schedules([runner.deployment.id])) == 1


async def test_a_schedule_is_tried_out_without_being_added(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    asked: dict[str, str | int] = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "next": 400}
    assert (await client.get("/schedules/preview", params=asked)).status_code == 422
    shown = (await client.get("/schedules/preview", params={**asked, "next": 100})).json()
    every = (await client.get("/schedules/preview", params={"interval": 3600, "next": 2})).json()

    assert is_as(models.Preview, shown)
    instants = [datetime.fromisoformat(one["at"]) for one in shown["next"]]
    assert len(instants) == 100
    assert min(instants) > datetime.now(UTC)
    assert [one["in_zone"][11:16] for one in shown["next"]].count("02:30") >= 99
    assert len(every["next"]) == 2
    assert len(await store.schedules([runner.deployment.id])) == 1
