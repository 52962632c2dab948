"""Streams of all that happens: from now on, and again from where somebody was cut off."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import anyio
import httpx
import pytest

from flowsource.events import new_event
from flowsource.retention import Limits
from flowsource.server import open_streams, streaming
from flowsource.server.api import models
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun
from tests.server.serving import Served, served
from tests.server.shapes import events_of, is_as
from tests.store.words import HOUR, Server, end, start
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


async def emit(store: Store, *names: str) -> None:
    await store.emit([new_event(name, at=NOW) for name in names])


async def test_events_come_as_they_happen_and_again_from_where_it_was_cut_off(
    client: httpx.AsyncClient, store: Store
) -> None:
    await emit(store, "order.before")
    async with client.stream("GET", "/streams/events", params={"names": "order.*"}) as stream:
        [begin] = await events_of(stream, 1)
    await emit(store, "order.created", "other.thing", "order.paid")
    resumed = {"last-event-id": begin["id"]}
    async with (
        client.stream("GET", "/streams/events", params={"names": "order.*"}, headers=resumed) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(emit, store, "order.sent")
        found = await events_of(stream, 3)

    assert begin["event"] == "begin"
    told = [json.loads(event["data"]) for event in found]
    assert [event["name"] for event in told] == ["order.created", "order.paid", "order.sent"]
    assert [event["id"] for event in found] == [str(event["seq"]) for event in told]
    assert all(is_as(models.Event, event) for event in told)


async def test_a_run_of_a_query_comes_each_time_it_changes_and_when_it_leaves(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    asked = {"query": "tag:etl -state:completed"}
    async with client.stream("GET", "/streams/runs", params=asked) as stream:
        [begin] = await events_of(stream, 1)
        place = begin["id"]
    found = []
    for step in ("ask", "start", "end"):
        if step == "ask":
            await runner.ask(NOW)
            run = await runner.ask(NOW - HOUR, tags=("etl",))
        elif step == "start":
            [first, second] = await runner.claim(now=NOW)
            run = first if first.id == run.id else second
        else:
            await end(store, await start(store, run, now=NOW), now=NOW)
        headers = {"last-event-id": place}
        async with client.stream("GET", "/streams/runs", params=asked, headers=headers) as stream:
            [event] = await events_of(stream, 1)
        found.append((event["event"], json.loads(event["data"])))
        place = event["id"]

    assert [(name, told["id"], told.get("state")) for name, told in found] == [
        ("run", str(run.id), "scheduled"),
        ("run", str(run.id), "claimed"),
        ("left", str(run.id), None),
    ]
    assert is_as(models.Run, found[0][1])


async def test_a_stream_whose_place_is_not_kept_any_more_says_so_and_goes_on(
    client: httpx.AsyncClient, store: Store, runner: Server
) -> None:
    await runner.ask(NOW)
    run = await runner.start_one(NOW)
    await end(store, run, now=NOW)
    place = (await store.newest_events(limit=1))[0].seq
    # The newest of a deployment stays, whatever its age.
    new = NewRun(deployment_id=runner.deployment.id, scheduled_at=NOW)
    await store.create_run(new, now=run.created_at + HOUR)
    late = run.created_at + 2 * HOUR
    while await store.prune(Limits(runs=late, logs=late)):
        pass
    assert await store.event(place) is None
    await emit(store, "order.created")
    newest = (await store.newest_events(limit=1))[0].seq
    for last, after in ((place, "order.created"), (newest + 1000, None)):
        async with client.stream(
            "GET", "/streams/events", params={"names": "order.*"}, headers={"last-event-id": str(last)}
        ) as stream:
            gap, *rest = await events_of(stream, 2 if after else 1)
        assert gap["event"] == "gap"
        assert [json.loads(event["data"])["name"] for event in rest] == ([after] if after else [])
        assert int(gap["id"]) <= newest


@pytest.mark.parametrize("path", ["/streams/runs", "/streams/events"])
async def test_a_stream_of_a_wrong_place_query_or_name_is_refused(client: httpx.AsyncClient, path: str) -> None:
    for odd in ("x", "-1", "9" * 19):
        assert (await client.get(path, headers={"last-event-id": odd})).status_code == 422
    assert (await client.get("/streams/runs", params={"query": "colour:red"})).status_code == 422
    assert (await client.get("/streams/events", params={"names": "prefect.nothing"})).status_code == 422


async def test_who_hears_nothing_for_long_is_told_how_far_was_looked_and_loses_it_with_the_token(
    client: httpx.AsyncClient, server: Served, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "ALIVE_EVERY", timedelta(milliseconds=50))
    said: list[str] = []
    async with client.stream("GET", "/streams/events", params={"names": "order.*"}) as stream:
        await emit(store, "other.thing")
        newest = (await store.newest_events(limit=1))[0].seq
        async for line in stream.aiter_lines():
            said.append(line)
            if line == f"id: {newest}" and said.count(line) == 1:
                await store.revoke_token("anna", now=NOW)
    assert f"id: {newest}" in said
    assert ": NotAuthenticated" in said


async def test_however_much_happens_that_is_not_told_a_stream_says_that_it_goes_on(
    client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "ALIVE_EVERY", timedelta(milliseconds=300))

    async def be_busy() -> None:
        while True:
            await emit(store, "other.thing")
            await anyio.sleep(0.02)

    async with (
        client.stream("GET", "/streams/events", params={"names": "order.*"}) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(be_busy)
        alive = 0
        async for line in stream.aiter_lines():
            alive += line == "event: alive"
            if alive == 2:
                break
        tasks.cancel_scope.cancel()


async def test_streams_end_by_themselves_when_the_server_does(store: Store) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        async with served(store) as server:
            shown = {"authorization": f"Bearer {server.secret}"}
            asked = client.build_request("GET", f"{server.url}/api/v1/streams/events", headers=shown)
            lines = (await client.send(asked, stream=True)).aiter_lines()
            begin = [await anext(lines) for _ in range(3)]
        # One that is cut off is not whole, and would raise.
        rest = [line async for line in lines]
    assert begin[1] == "event: begin"
    assert not [line for line in rest if line]


async def test_there_are_only_so_many_streams_of_one_token(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "MOST_OF_ONE", 1)
    async with client.stream("GET", "/streams/events") as stream:
        # Kept, or the stream would be closed with it.
        lines = stream.aiter_lines()
        await anext(lines)
        for path in ("/streams/events", "/streams/runs"):
            assert (await client.get(path)).status_code == 403
