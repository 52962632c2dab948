"""What the door to the store refuses before the store is asked: no request that shows a token makes it fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from flowsource.errors import InvalidInput
from flowsource.server.store_door import StoreDoor
from flowsource.server.switchboard import Switchboard
from flowsource.store import open_store
from flowsource.store.http.calls import CALLS
from flowsource.store.values import NewRun
from flowsource.tokens import Token
from tests.store.words import NOW

pytestmark = pytest.mark.anyio

ADMIN = Token(id=uuid4(), name="root", scopes=("admin",), created_at=NOW)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[StoreDoor]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield StoreDoor(store, Switchboard(store))


async def ask(door: StoreDoor, method: str, **arguments: Any) -> dict[str, Any]:
    body = json.dumps(CALLS[method].encode_arguments(**arguments)).encode()
    return await door.answer(ADMIN, method, body, CALLS[method].digest)


@pytest.mark.parametrize("limit", [-1, 100_001, 2**52])
async def test_more_than_fits_into_an_answer_is_not_given_at_once(door: StoreDoor, limit: int) -> None:
    for method in ("runs", "newest_events"):
        assert await ask(door, method, limit=100_000) == {"result": []}
        with pytest.raises(InvalidInput, match=f"{method}: the limit is no number from 0 to 100,000"):
            await ask(door, method, limit=limit)


@pytest.mark.parametrize("number", [2**63, -(2**64), 2**200])
async def test_a_number_that_no_database_keeps_is_none(door: StoreDoor, number: int) -> None:
    with pytest.raises(InvalidInput, match="event: seq: should be nearer to zero"):
        await ask(door, "event", seq=number)
    assert await ask(door, "event", seq=2**53 - 1) == {"result": None}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
async def test_what_only_some_take_for_json_is_none(door: StoreDoor, value: float) -> None:
    new = NewRun(deployment_id=uuid4(), scheduled_at=NOW, parameters={"n": value})
    with pytest.raises(InvalidInput, match="is not JSON"):
        await ask(door, "create_run", new=new, now=NOW)
