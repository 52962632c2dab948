"""The API for people and scripts, over real HTTP: what it answers, to whom, and what it says of itself."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest

from flowsource.runs import RunState
from flowsource.server import streaming
from flowsource.server.api import models
from flowsource.server.app import document_of
from flowsource.store.protocol import Store
from tests.server.routes import app, cookie_at
from tests.server.serving import Served
from tests.server.shapes import events_of, is_as
from tests.store.source_contract import REPORT
from tests.store.words import FIRST, HOUR, SECOND_REVISION, Server, end, lines, promote
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    "path", ["/api/v1/../api/v1/runs", "//api/v1/runs", "/api/v1/%2e%2e/v1/runs", "/healthz/live/../../api/v1/runs"]
)
async def test_no_spelling_of_a_path_gets_past_the_token(server: Served, path: str) -> None:
    async with await anyio.connect_tcp("127.0.0.1", int(server.url.rpartition(":")[2])) as raw:
        await raw.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = await raw.receive()
    assert answer.split(b" ")[1] in (b"401", b"404")


def test_the_document_is_the_one_that_is_kept() -> None:
    made = json.dumps(document_of(app()), indent=2, sort_keys=True) + "\n"

    assert DOCUMENT.read_text(encoding="utf-8") == made, "write it anew with `python -m tests.server.document`"


async def test_deployments_are_shown_as_the_document_says(client: httpx.AsyncClient, runner: Server) -> None:
    page = (await client.get("/deployments")).json()
    [found] = page["items"]
    assert page["next"] is None
    assert is_as(models.Deployment, found)
    assert (await client.get("/deployments/etl/nightly")).json()["id"] == found["id"]
    missing = await client.get("/deployments/etl/nightlly")
    assert missing.status_code == 404
    assert "did you mean etl/nightly?" in missing.json()["detail"]


async def test_what_people_do_about_a_deployment_is_done_in_the_name_of_their_token(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    await promote(store, runner.deployment, SECOND_REVISION, now=NOW)
    where = "/deployments/etl/nightly"

    assert (await client.post(f"{where}/pause", json={"reason": "holiday"})).json()["paused"] is True
    assert (await client.post(f"{where}/resume", json={})).json()["paused"] is False
    pinned = (await client.post(f"{where}/pin", json={"revision": FIRST.id[:6]})).json()["pinned"]
    assert (pinned["revision"]["id"], pinned["by"]) == (FIRST.id, "anna")
    assert (await client.post(f"{where}/unpin", json={})).json()["pinned"] is None
    assert (await client.post(f"{where}/rollback", json={})).json()["asked_for"]["kind"] == "rollback"
    assert (await client.post(f"{where}/pin", json={"revision": "f00d"})).status_code == 422
    assert (await client.post(f"{where}/accept", json={})).status_code == 409

    seen = []
    cursor: str | None = None
    while True:
        page = (
            await client.get(f"{where}/history", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        ).json()
        assert all(is_as(models.HistoryEntry, entry) for entry in page["items"])
        seen += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert [entry["seq"] for entry in seen] == list(range(len(seen), 0, -1))
    assert ("paused", "anna", "holiday") in [(entry["kind"], entry["by"], entry["reason"]) for entry in seen]


async def test_a_run_is_asked_for_once_however_often_the_same_key_is_sent(
    client: httpx.AsyncClient, runner: Server
) -> None:
    key = {"idempotency-key": "one"}
    asked = {"parameters": {"day": "monday"}, "tags": ["now"]}
    first, again = [await client.post("/deployments/etl/nightly/runs", json=asked, headers=key) for _ in range(2)]

    assert (first.status_code, first.json()) == (201, again.json())
    assert is_as(models.Run, first.json())
    assert first.json()["parameters"] == {"day": "monday"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"parameters": {"day": 1}}, "day"),
        ({"parameters": {"week": "1"}}, "week"),
        ({"state": "running"}, "body.state"),
        ({"scheduled_at": "2030-01-01T00:00:00"}, "body.scheduled_at"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named_and_not_repeated(
    client: httpx.AsyncClient, runner: Server, body: dict[str, Any], field: str
) -> None:
    answer = await client.post("/deployments/etl/nightly/runs", json=body)

    assert answer.status_code == 422
    assert field in answer.json()["fields"]
    assert (await client.get("/runs")).json()["items"] == []


async def test_runs_come_in_pages_without_a_gap(client: httpx.AsyncClient, runner: Server) -> None:
    asked = [str((await runner.ask(NOW)).id) for _ in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await client.get("/runs", params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
        seen += [run["id"] for run in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert sorted(seen) == sorted(asked)
    assert len(seen) == len(set(seen))
    assert (await client.get("/runs", params={"cursor": "odd"})).status_code == 422


async def test_all_about_a_run_is_shown_as_the_document_says(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    await runner.ask(NOW)
    run = await runner.start_one(NOW)
    await store.append_lines(run.id, lines(1, 2, 3))

    cancelled = (await client.post(f"/runs/{run.id}/cancel", json={"reason": "wrong day"})).json()
    await end(store, run, now=NOW)

    assert is_as(models.Run, cancelled)
    assert cancelled["cancellation"]["by"] == "anna"
    assert (await client.get(f"/runs/{run.id}")).json()["state"] == "completed"
    assert all(is_as(models.Attempt, one) for one in (await client.get(f"/runs/{run.id}/attempts")).json())
    assert all(is_as(models.Step, one) for one in (await client.get(f"/runs/{run.id}/transitions")).json())
    first = (await client.get(f"/runs/{run.id}/logs", params={"limit": 2})).json()
    rest = (await client.get(f"/runs/{run.id}/logs", params={"cursor": first["next"]})).json()
    assert [line["text"] for line in (*first["items"], *rest["items"])] == ["line 1", "line 2", "line 3"]
    assert all(is_as(models.Line, line) for line in first["items"])
    assert (await client.get(f"/runs/{uuid4()}")).status_code == 404
    assert (await client.get("/runs/..%2f..%2fetc%2fpasswd")).status_code in (404, 422)
    only = (await client.get("/runs", params={"query": "state:completed deployment:etl/nightly"})).json()
    assert [one["id"] for one in only["items"]] == [str(run.id)]


async def test_sources_and_runners_are_shown(client: httpx.AsyncClient, runner: Server) -> None:
    [source] = (await client.get("/sources")).json()["items"]
    assert is_as(models.Source, source)
    [paused] = (await client.post(f"/sources/{source['key']}/pause")).json()
    assert paused["state"] == "paused"
    assert (await client.post(f"/sources/{source['key']}/resume")).status_code == 200
    assert (await client.post(f"/sources/{source['key']}/sync")).json()[0]["hints"] == 1
    assert (await client.post("/sources/none/sync")).status_code == 404
    [one] = (await client.get("/runners")).json()["items"]
    assert is_as(models.Runner, one)
    assert (one["id"], one["deployments"], one["host"]) == (str(runner.id), ["etl/nightly"], None)
    assert is_as(models.Me, (await client.get("/me")).json())
    assert (await client.get("/openapi.json")).json()["paths"].keys() == document_of(app())["paths"].keys()


async def test_a_stream_of_lines_goes_on_from_where_it_was_cut_off(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    await runner.ask(NOW)
    run = await runner.start_one(NOW)
    await store.append_lines(run.id, lines(1, 2))
    async with client.stream("GET", f"/streams/runs/{run.id}/logs") as stream:
        first = await events_of(stream, 2)
    assert [json.loads(event["data"])["text"] for event in first] == ["line 1", "line 2"]

    async with (
        client.stream("GET", f"/streams/runs/{run.id}/logs", headers={"last-event-id": first[0]["id"]}) as stream,
        anyio.create_task_group() as tasks,
    ):

        async def go_on() -> None:
            await store.append_lines(run.id, lines(3))
            await end(store, run, now=NOW)

        tasks.start_soon(go_on)
        rest = await events_of(stream, 3)
    assert [json.loads(event["data"]).get("text") for event in rest] == ["line 2", "line 3", None]
    assert rest[-1]["event"] == "end"


async def test_a_stream_of_steps_ends_with_the_run(client: httpx.AsyncClient, store: Store, runner: Server) -> None:
    await runner.ask(NOW)
    run = await runner.start_one(NOW)
    await end(store, run, now=NOW)
    async with client.stream("GET", f"/streams/runs/{run.id}") as stream:
        events = await events_of(stream, 5)
    assert [json.loads(event["data"]).get("state") for event in events] == [
        "scheduled",
        "claimed",
        "running",
        "completed",
        None,
    ]


async def test_a_stream_ends_when_its_token_is_revoked(
    client: httpx.AsyncClient, store: Store, runner: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "ALIVE_EVERY", timedelta(milliseconds=50))
    run = await runner.ask(NOW)
    async with client.stream("GET", f"/streams/runs/{run.id}/logs") as stream:
        await store.revoke_token("anna", now=NOW)
        said = [line async for line in stream.aiter_lines()]
    assert ": NotAuthenticated" in said


async def test_health_is_three_answers(client: httpx.AsyncClient, server: Served, store: Store, runner: Server) -> None:
    root = server.url
    async with httpx.AsyncClient(timeout=PATIENCE) as stranger:
        assert (await stranger.get(f"{root}/healthz/live")).json() == {"live": True}
        assert (await stranger.get(f"{root}/healthz/ready")).json() == {"ready": True}
        assert (await stranger.get(f"{root}/healthz/fresh")).status_code == 401
    told = await client.get(f"{root}/healthz/fresh")
    assert told.json()["sources"] == [REPORT.status.label]
    assert told.status_code == 503


async def test_metrics_have_names_of_their_own(client: httpx.AsyncClient, server: Served, runner: Server) -> None:
    await runner.ask(NOW - HOUR)
    text = (await client.get(f"{server.url}/metrics")).text

    assert 'flowsource_runs{state="scheduled"} 1.0' in text
    assert 'flowsource_runs{state="running"} 0.0' in text
    oldest = re.search(r"^flowsource_oldest_due_seconds (.*)$", text, re.MULTILINE)
    assert oldest is not None
    assert float(oldest[1]) >= HOUR.total_seconds()
    assert "flowsource_runners 1.0" in text
    again = (await client.get(f"{server.url}/metrics")).text
    assert 'flowsource_http_requests_total{method="GET",status="200"} 1.0' in again


def test_every_state_of_a_run_is_in_the_document() -> None:
    assert document_of(app())["components"]["schemas"]["RunState"]["enum"] == [state.value for state in RunState]


async def test_a_browser_comes_in_by_a_link_that_works_once(server: Served, runner: Server) -> None:
    shown = {"authorization": f"Bearer {await server.token('anna', 'operator')}"}
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as browser:
        link = (await browser.post("/session/links", headers=shown)).json()["path"]
        came = await browser.get(link)
        assert (came.status_code, came.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(came.headers["set-cookie"].split("; "))
        assert (await browser.get(link)).status_code == 401

        me = (await browser.get("/api/v1/me")).json()
        assert me["name"] == "anna"
        where = "/api/v1/deployments/etl/nightly/pause"
        assert (await browser.post(where, json={})).status_code == 403
        assert (await browser.post(where, json={}, headers={"x-csrf-token": "odd"})).status_code == 403
        own = {"x-csrf-token": me["csrf"]}
        assert (await browser.post(where, json={}, headers=own)).status_code == 200

        await server.store.revoke_token("anna", now=NOW)
        assert (await browser.get("/api/v1/me")).status_code == 401


async def test_a_session_can_be_ended(server: Served) -> None:
    shown = {"authorization": f"Bearer {await server.token('anna', 'viewer')}"}
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as browser:
        await browser.get((await browser.post("/session/links", headers=shown)).json()["path"])
        name = cookie_at(server.url)
        cookie = {"cookie": f"{name}={browser.cookies[name]}"}
        csrf = (await browser.get("/api/v1/me")).json()["csrf"]
        assert (await browser.post("/session/end", headers={"x-csrf-token": csrf})).status_code == 204
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as stranger:
        assert (await stranger.get("/api/v1/me", headers=cookie)).status_code == 401
