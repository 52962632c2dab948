"""Logs over the API: pages from either end, what is looked for, a stream of it, and all of it as text."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowsource.runs import Run
from flowsource.server import open_streams
from flowsource.store import logs, open_store
from flowsource.store.protocol import Store
from flowsource.store.values import LogLine
from tests.server.serving import Served, served
from tests.store.words import NOW, end, lines, registration, serve
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store, served(store) as server:
        yield server


@pytest.fixture
def store(server: Served) -> Store:
    return server.store


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    shown = {"authorization": f"Bearer {await server.token('anna', 'viewer')}"}
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", headers=shown, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
async def run(store: Store) -> Run:
    """One with 30 lines in each of two attempts, every tenth an error, that has ended."""
    served = await serve(store, registration())
    await served.ask()
    run = await served.start_one()
    for attempt in (1, 2):
        some = [
            LogLine(
                attempt=attempt, seq=seq, at=NOW, level=20 if seq % 10 else 40, text=f"Line {attempt}.{seq}", logger="a"
            )
            for seq in range(1, 31)
        ]
        await store.append_lines(run.id, some)
    return await end(store, run)


async def through_pages(client: httpx.AsyncClient, run: Run, **asked: Any) -> list[list[str]]:
    """The texts on each page."""
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(f"/runs/{run.id}/logs", params={**asked, **cursor})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        pages.append([line["text"] for line in told["items"]])
        if told["next"] is None:
            return pages
        cursor = {"cursor": told["next"]}


async def test_pages_lead_from_the_first_line_on_or_from_the_last_one_back(client: httpx.AsyncClient, run: Run) -> None:
    every = [f"Line {attempt}.{seq}" for attempt in (1, 2) for seq in range(1, 31)]
    forwards = await through_pages(client, run, limit=25)
    backwards = await through_pages(client, run, limit=25, backwards=True)
    assert forwards == [every[:25], every[25:50], every[50:]]
    assert backwards == [every[-25:], every[10:35], every[:10]]


async def test_lines_are_found_by_level_attempt_and_text(client: httpx.AsyncClient, run: Run) -> None:
    assert await through_pages(client, run, level="error", attempt=2) == [["Line 2.10", "Line 2.20", "Line 2.30"]]
    assert await through_pages(client, run, text="LINE 1.2") == [
        ["Line 1.2", *(f"Line 1.{seq}" for seq in range(20, 30))]
    ]
    assert await through_pages(client, run, text="nowhere") == [[]]
    for wrong in ({"level": "loud"}, {"attempt": 0}, {"text": "x" * 1001}, {"cursor": "x"}):
        assert (await client.get(f"/runs/{run.id}/logs", params=wrong)).status_code == 422


async def test_what_is_rare_in_a_long_log_is_found_over_pages_that_may_be_empty(
    client: httpx.AsyncClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOOKED_AT", 25)
    assert await through_pages(client, run, text="Line 2.29") == [[], [], ["Line 2.29"]]


async def test_a_stream_has_only_the_lines_that_are_wanted(
    client: httpx.AsyncClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOOKED_AT", 20)
    said = (await client.get(f"/streams/runs/{run.id}/logs", params={"text": ".2", "level": "error"})).text
    found = [json.loads(line[6:]).get("text") for line in said.splitlines() if line.startswith("data: ")]
    assert found == ["Line 1.20", "Line 2.20", None]


async def test_all_of_it_is_downloaded_as_text_without_signs_that_steer(
    client: httpx.AsyncClient, store: Store, run: Run
) -> None:
    odd = [LogLine(attempt=3, seq=1, at=NOW, level=20, text="\x1b[31mred\nand more")]
    await store.append_lines(run.id, [*odd, *lines(*range(2, 2500), attempt=3)])
    answer = await client.get(f"/runs/{run.id}/logs.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{run.id}.txt"'
    said = answer.text.splitlines()
    assert said[0] == "2030-01-01T12:00:00+00:00  INFO    Line 1.1"
    assert said[30] == "-- attempt 2 --"
    assert said[62:64] == ["2030-01-01T12:00:00+00:00  \\x1b[31mred", "    and more"]
    assert len(said) == 30 + 1 + 30 + 1 + 2 + 2498
    some = (await client.get(f"/runs/{run.id}/logs.txt", params={"level": "error"})).text
    assert some.count("ERROR") == len(some.splitlines()) - 1 == 6


async def test_a_download_is_one_of_the_streams_that_are_counted(
    client: httpx.AsyncClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert (await client.get(f"/runs/{run.id}/logs.txt")).status_code == 200
    monkeypatch.setattr(open_streams, "MOST_OF_ONE", 0)
    assert (await client.get(f"/runs/{run.id}/logs.txt")).status_code == 403
