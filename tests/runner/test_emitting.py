"""Telling events: in a run by its runner, elsewhere by the store, and always once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from flowsource import aemit_event, emit_event
from flowsource.errors import InvalidInput
from flowsource.events import Event
from flowsource.runner.emitted import event_from
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.record import RunRecord
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import Outcome
from tests.support.modules import modules_loaded_by

pytestmark = pytest.mark.anyio

MESSAGE = {
    "type": "event",
    "id": "00000000-0000-4000-8000-000000000001",
    "at": "2030-01-01T12:00:00+00:00",
    "name": "order.created",
    "resource": {},
    "related": [],
    "payload": {"id": 17},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWSOURCE_HOME", str(tmp_path))
    return tmp_path


async def told_in(home: Path) -> list[Event]:
    async with open_store(f"sqlite:///{home / 'flowsource.db'}") as store:
        return list((await store.events(after=0)).events)


async def test_outside_a_run_an_event_is_kept_when_the_call_returns(home: Path) -> None:
    first = emit_event("order.created", {"id": 17}, resource={"flowsource.resource.id": "order.17"})
    second = await anyio.to_thread.run_sync(emit_event, "order.paid")
    third = await aemit_event("order.shipped", related=[{"flowsource.resource.role": "shop"}])
    events = await told_in(home)
    assert [event.id for event in events] == [first, second, third]
    assert (events[0].payload, events[0].run_id) == ({"id": 17}, None)
    assert events[0].resource == {"flowsource.resource.id": "order.17"}
    assert events[2].related == ({"flowsource.resource.role": "shop"},)


async def test_what_cannot_be_kept_is_refused_before_a_store_is_opened(home: Path) -> None:
    with pytest.raises(InvalidInput, match="name"):
        emit_event("flow-run.completed")
    with pytest.raises(InvalidInput, match="payload"):
        await aemit_event("order.created", {"x": {1}})
    assert list(home.iterdir()) == []


async def test_what_a_run_tells_is_kept_before_its_end(store: Store, run: Run) -> None:
    record = RunRecord(run, store, Terminal(is_quiet=True), on_refused=lambda: None)
    for number in range(3):
        record.emitted(event_from({**MESSAGE, "id": str(uuid4()), "payload": {"n": number}}, run.id))
    record.started(run.changed_at)
    await record.finish(Outcome(state=RunState.COMPLETED))
    events = (await store.events(after=0, names=["order.*", "flow-run.completed"])).events
    assert [event.payload.get("n") for event in events] == [0, 1, 2, None]
    assert {event.run_id for event in events} == {run.id}


def test_an_event_of_a_run_is_told_by_the_clock_of_the_store() -> None:
    behind = timedelta(minutes=-10)
    told = event_from(MESSAGE, uuid4(), ahead=behind)
    assert told.at == datetime(2030, 1, 1, 11, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "x"},
        {"at": "yesterday"},
        {"at": "2030-01-01T12:00:00"},
        {"name": "flow-run.completed"},
        {"payload": 5},
        {"related": 5},
    ],
)
async def test_what_a_run_says_that_is_no_event_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        event_from({**MESSAGE, **wrong}, uuid4())


async def test_telling_an_event_takes_no_store_until_there_is_no_runner() -> None:
    loaded = modules_loaded_by("from flowsource import emit_event")
    assert {name.partition(".")[0] for name in loaded} & {"sqlalchemy", "sqlite3", "anyio", "pydantic"} == set()
