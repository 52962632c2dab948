"""Several processes look at the same events, and are killed while they do: each event makes one run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import pytest

from flowsource.events import new_event
from flowsource.runner.triggering import Eyes
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import WORK
from flowsource.triggers import CompoundTrigger, EventTrigger, Trigger
from tests.runner.test_triggering import with_triggers
from tests.store.racing import Racer
from tests.store.words import NOW, SECOND, serve

pytestmark = pytest.mark.anyio

EVENTS, AT_ONCE = 36, 2
N = {"n": "{{ event.payload.n }}"}
# One that fires at each event, and two that must remember what they have seen.
TRIGGERS: tuple[Trigger, ...] = (
    EventTrigger(expect="order.created", parameters=N, name="each"),
    EventTrigger(expect="order.*", threshold=3, parameters=N, name="third"),
    CompoundTrigger(
        triggers=[EventTrigger(expect="order.created"), EventTrigger(expect="order.created", threshold=2)],
        parameters=N,
        name="second",
    ),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "flowsource.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{file}") as store:
        yield store


def look_for_ever(pipe: Connection, url: str, deployment_id: UUID) -> None:
    """Look at events until killed; tells when it begins."""

    async def work() -> None:
        async with open_store(url) as store:
            pipe.send("ready")
            pipe.recv()
            eyes = Eyes(store, [deployment_id])
            pipe.send("looks")
            while True:
                await eyes.look(now=NOW)

    anyio.run(work)


async def fired(store: Store, deployment_id: UUID) -> dict[str, list[int]]:
    """Of each trigger, the numbers of the events that made it fire."""
    numbers: dict[str, list[int]] = {str(trigger.name): [] for trigger in TRIGGERS}
    # Each is made with its run, and more of them may be made meanwhile.
    firings = len(await store.firings(deployment_id, limit=10_000))
    for run in await store.runs(limit=10_000):
        assert run.cause is not None
        numbers[run.cause.trigger].append(run.parameters["n"])
    assert firings <= sum(map(len, numbers.values()))
    return {name: sorted(found) for name, found in numbers.items()}


async def test_whoever_is_killed_each_event_makes_one_run(store: Store, file: Path) -> None:
    deployment_id = (await serve(store, with_triggers(*TRIGGERS))).deployment.id

    def racing() -> Racer:
        racer = Racer(look_for_ever, file, deployment_id)
        racer.begin()
        assert racer.told() == "looks"
        return racer

    racers = [await anyio.to_thread.run_sync(racing) for _ in range(AT_ONCE)]
    for number in range(1, EVENTS + 1):
        await store.emit([new_event("order.created", {"n": number}, at=NOW)])
        if number % 6 == 0:
            # Somewhere in a look, of which each writes.
            victim = racers.pop(0)
            victim.process.kill()
            assert await anyio.to_thread.run_sync(victim.end) == -9
            racers.append(await anyio.to_thread.run_sync(racing))
    wanted: dict[str, Any] = {
        "each": list(range(1, EVENTS + 1)),
        "third": list(range(3, EVENTS + 1, 3)),
        "second": list(range(2, EVENTS + 1, 2)),
    }
    async with store.changes(WORK) as ear:
        while sum(map(len, (await fired(store, deployment_id)).values())) < sum(map(len, wanted.values())):
            await ear.wait(SECOND)
    for racer in racers:
        racer.process.kill()
        assert await anyio.to_thread.run_sync(racer.end) == -9
    assert await fired(store, deployment_id) == wanted
    assert len(await store.firings(deployment_id, limit=10_000)) == sum(map(len, wanted.values()))
