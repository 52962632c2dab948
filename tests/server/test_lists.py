"""Lists of the API: by queries, in pages, counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from flowsource.server.api import models
from flowsource.store.protocol import Store
from tests.server.shapes import is_as
from tests.store.words import Server, end, registration, serve

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


async def all_of(client: httpx.AsyncClient, path: str, **asked: Any) -> list[dict[str, Any]]:
    """A list, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await client.get(path, params={**asked, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if (cursor := answer.json()["next"]) is None:
            return found


async def test_runs_are_found_and_counted_by_a_query(client: httpx.AsyncClient, store: Store, runner: Server) -> None:
    await runner.ask(NOW, tags=("first",))
    run = await runner.start_one(NOW)
    await end(store, run, now=NOW)
    await runner.ask(NOW)

    for query, count in [
        ("", 2),
        ("state:completed tag:first", 1),
        ("-tag:first", 1),
        ("after:1h", 2),
        ("otter-no", 0),
    ]:
        found = await all_of(client, "/runs", query=query, limit=1)
        assert len(found) == count, query
        assert all(is_as(models.Run, one) for one in found)
        counted = (await client.get("/runs/count", params={"query": query})).json()
        assert counted == {"count": count, "is_all": True}


async def test_deployments_are_found_by_a_query(client: httpx.AsyncClient, store: Store, runner: Server) -> None:
    for name in ("b", "a", "c"):
        await serve(store, registration(name, tags=("few",)), now=NOW)
    found = await all_of(client, "/deployments", query="tag:few", limit=2)

    assert [one["name"] for one in found] == ["etl/a", "etl/b", "etl/c"]
    assert [one["name"] for one in await all_of(client, "/deployments", query="-tag:few served:yes")] == ["etl/nightly"]


@pytest.mark.parametrize("path", ["/runs", "/runs/count", "/deployments"])
async def test_every_word_of_a_query_that_is_wrong_is_named(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, params={"query": "colour:red tag:etl flavour:salt"})

    assert answer.status_code == 422
    words = answer.json()["words"]
    assert [(one["place"], one["word"]) for one in words] == [(1, "colour:red"), (20, "flavour:salt")]
    assert all("there is no key" in one["message"] for one in words)


async def test_a_cursor_of_another_list_is_refused(client: httpx.AsyncClient, runner: Server) -> None:
    for _ in range(2):
        await runner.ask(NOW)
    cursor = (await client.get("/runs", params={"limit": 1})).json()["next"]

    for path in ("/deployments", "/events"):
        assert (await client.get(path, params={"cursor": cursor})).status_code == 422
    for odd in ("odd", "r1.odd", "\u00e9", "MTIz\u0661"):
        assert (await client.get("/runs", params={"cursor": odd})).status_code == 422


async def test_all_of_a_query_are_cancelled_up_to_a_limit_and_then_the_rest(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    for _ in range(3):
        await runner.ask(NOW, tags=("few",))
    kept = await runner.ask(NOW)
    asked = {"query": "tag:few", "limit": 2, "reason": "too many"}

    looked = (await client.post("/runs/cancel", json={**asked, "dry_run": True})).json()
    first, rest, again = [(await client.post("/runs/cancel", json=asked)).json() for _ in range(3)]

    assert all(is_as(models.Done, one) for one in (looked, first, rest, again))
    assert looked == {"hit": 3, "changed": {}, "skipped": {}, "more": False}
    assert first == {"hit": 3, "changed": {"cancelled": 2}, "skipped": {}, "more": True}
    assert rest == {"hit": 1, "changed": {"cancelled": 1}, "skipped": {}, "more": False}
    assert again == {"hit": 0, "changed": {}, "skipped": {}, "more": False}
    assert [run.id for run in await store.runs() if run.cancellation is None] == [kept.id]
    wishes = [run.cancellation for run in await store.runs() if run.cancellation is not None]
    assert {(wish.by, wish.reason) for wish in wishes} == {("anna", "too many")}


async def test_all_that_ended_of_a_query_are_asked_for_again(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    for _ in range(2):
        await runner.ask(NOW, tags=("few",), parameters={"day": "monday"})
        await end(store, await runner.start_one(NOW), now=NOW)
    waiting = await runner.ask(NOW, tags=("few",))
    asked = {"query": "tag:few"}

    looked = (await client.post("/runs/rerun", json={**asked, "dry_run": True})).json()
    done = (await client.post("/runs/rerun", json={**asked, "at": "same"}, headers={"idempotency-key": "k"})).json()

    assert looked == {"hit": 2, "changed": {}, "skipped": {}, "more": False}
    assert done == {"hit": 2, "changed": {"asked for again": 2}, "skipped": {}, "more": False}
    assert is_as(models.Done, done)
    made = [run for run in await store.runs() if run.rerun_of is not None]
    assert [(run.parameters, run.keeps_revision) for run in made] == [({"day": "monday"}, True)] * 2
    assert waiting.id not in {run.rerun_of for run in made}


async def test_all_of_a_query_are_paused_and_resumed(client: httpx.AsyncClient, store: Store, runner: Server) -> None:
    for name in ("a", "b"):
        await serve(store, registration(name, tags=("few",)), now=NOW)
    asked = {"query": "tag:few"}

    paused, again = [(await client.post("/deployments/pause", json=asked)).json() for _ in range(2)]
    one = (await client.post("/deployments/resume", json={**asked, "limit": 1})).json()

    assert paused == {"hit": 2, "changed": {"paused": 2}, "skipped": {}, "more": False}
    assert again == {"hit": 0, "changed": {}, "skipped": {}, "more": False}
    assert one == {"hit": 2, "changed": {"resumed": 1}, "skipped": {}, "more": True}
    assert [one.paused for one in await store.deployments()] == [False, True, False]


@pytest.mark.parametrize("path", ["/runs/cancel", "/runs/rerun", "/deployments/pause", "/deployments/resume"])
async def test_what_would_be_done_to_all_there_is_must_be_said(
    client: httpx.AsyncClient, runner: Server, path: str
) -> None:
    for body in ({}, {"query": ""}, {"query": "  "}, {"query": "colour:red"}):
        assert (await client.post(path, json=body)).status_code == 422
