"""Long polls at the door to the store: what may be asked for, and that no request takes the server down."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from flowsource.server.listening import listening
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import EVENTS, WORK, about
from tests.server.serving import Served, served
from tests.support.descriptors import few_descriptors
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

RUN = UUID("01234567-89ab-7def-8123-456789abcdef")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'memory' / 'flowsource.db'}") as store:
        yield store


async def listen(server: Served, **asked: Any) -> httpx.Response:
    shown = {"authorization": f"Bearer {await server.token(str(uuid4()), 'viewer')}"}
    async with httpx.AsyncClient(base_url=server.url, headers=shown, timeout=PATIENCE) as client:
        return await client.post("/api/store/changes", content=json.dumps(asked))


@pytest.mark.parametrize(
    "topic", ["a\0b", "\ud800", "../elsewhere", "any", "*", "", f"run:{RUN.hex}", f"run:{RUN}\n", "run:../x"]
)
async def test_what_is_no_topic_is_refused_and_harms_nobody(store: Store, topic: str, tmp_path: Path) -> None:
    async with served(store) as server:
        refused = await listen(server, topics=[topic], seen={}, wait=0)
        assert refused.status_code == 422
        assert "no such topic" in refused.json()["detail"]

        answered = await listen(server, topics=[WORK, about(RUN)], seen={}, wait=0)
        assert answered.status_code == 200
        assert not list(tmp_path.glob("*.sock"))


def test_no_answer_waits_until_what_was_sent_before_is_confirmed() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_what_is_no_length_of_a_wait_is_refused(store: Store) -> None:
    async with served(store) as server:
        assert (await listen(server, topics=[], seen={}, wait=float("nan"))).status_code == 422


async def test_more_topics_than_there_are_descriptors_leave_enough_for_the_server(store: Store) -> None:
    with few_descriptors(300):
        async with served(store) as server:
            topics = dict.fromkeys([WORK, *(about(uuid4()) for _ in range(1000))])
            answered = await listen(server, topics=list(topics), seen={}, wait=0)
            assert answered.json()["counts"].keys() == topics.keys()

            again = await listen(server, topics=[EVENTS], seen={}, wait=0)
            assert again.status_code == 200
