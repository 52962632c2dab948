"""Flows of each kind, and whether what is told of their runs is what was done."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import anyio

from flowsource.errors import StoreUnavailable
from flowsource.events import Event
from flowsource.promotions import Author
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.server_access import TOKEN_FILE
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import BEFORE_ALL
from flowsource.tokens import Scope
from tests.fire.checking import ALL, SIGN
from tests.server.serving import make_token
from tests.support.live import Serving
from tests.support.servers import ServerProcess

T = TypeVar("T")

LINES = 20
# A flow that prints lines, and one that comes through at its second attempt; what they import is above them.
STEADY_AND_SHAKY = f"""
{SIGN}
@flow
def steady():
    sign()
    for number in range({LINES}):
        print("line", number, flush=True)
        time.sleep(random.uniform(0, 0.02))

@flow(retries=1, retry_delay_seconds=0.1)
def shaky():
    sign()
    if current_run().attempt == 1:
        raise ValueError("not yet")
"""
SCRIPT = f"""
import random, time
from datetime import UTC, datetime
from flowsource import current_run, emit_event, flow, run_deployment, serve
{STEADY_AND_SHAKY}
@flow
def inner(number: int):
    return number

@flow
def nests():
    sign()
    return [inner(number) for number in range(3)]

@flow
def tells():
    sign()
    for number in range(3):
        emit_event("fire.told", resource={{"flowsource.resource.id": f"{{current_run().id}}.{{number}}"}})

@flow
def asks():
    sign()
    return str(run_deployment("steady/x", idempotency_key=str(current_run().id)).state)

@flow
def endless():
    sign()
    time.sleep(600)

if __name__ == "__main__":
    serve(*[one.to_deployment("x") for one in (steady, shaky, nests, tells, asks, endless)], limit=6)
"""
FLOWS = ("steady", "shaky", "nests", "tells", "asks", "endless")


async def token_of(server: ServerProcess, name: str, *scopes: Scope) -> str:
    """The secret of a new token, made beside the server."""
    async with open_store(server.store) as store:
        return await make_token(store, name, *scopes)


async def token_file(server: ServerProcess, at: Path) -> dict[str, str]:
    """The environment of a runner that reads its token from a file in the directory `at`."""
    file = at / "token"
    file.write_text(await token_of(server, "fleet", "runner"))
    return {TOKEN_FILE: str(file)}


async def ask_for_all(runner: Serving, count: int, *, key: str = "") -> list[Run]:
    """Ask for `count` runs of each flow, as often as it takes, and have those end that do not end by themselves.

    Asked with another `key` they are others.
    """
    asked: list[Run] = []
    chance = random.Random(3)

    async def ask_and_cancel(name: str, number: int) -> None:
        run = await insist(lambda: request_run(runner.store, f"{name}/x", {}, idempotency_key=f"{key} {name} {number}"))
        asked.append(run)
        if name == "endless":
            await anyio.sleep(chance.uniform(0, 2))
            await insist(lambda: runner.store.ask_cancel(run.id, Author("anna"), now=run.created_at))

    for number in range(count):
        async with anyio.create_task_group() as tasks:
            for name in FLOWS:
                tasks.start_soon(ask_and_cancel, name, number)
    return asked


async def until_all_have_ended(runner: Serving, at_least: int, *, within: float) -> None:
    """Wait until there are so many runs, and all are final."""

    async def have_ended() -> bool:
        # What is on the way to it is at fault, and is asked again.
        with suppress(StoreUnavailable):
            runs = await runner.store.runs(limit=ALL)
            return len(runs) >= at_least and all(run.state.is_final for run in runs)
        return False

    await runner.until(have_ended, "all runs to end", within=within)


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` answers, asked as often as it takes: what is on the way loses some of it, and the test has an end."""
    while True:
        with suppress(StoreUnavailable):
            return await ask()
        await anyio.sleep(0.2)


async def is_exact(store: Store, asked: list[Run], count: int, ledger: Path) -> None:
    """What is told is what was done: each attempt once, to its end, with every line and every event."""
    kept = {run.id: run for run in await store.runs(limit=ALL) if run.deployment.endswith("/x")}
    assert kept.keys() >= {run.id for run in asked}
    told = Counter((run.flow, run.state.value, run.attempt) for run in kept.values())
    # One that is cancelled soon may not have begun.
    ended_early = {key: told.pop(key, 0) for key in (("endless", "cancelled", 0), ("endless", "cancelled", 1))}
    assert sum(ended_early.values()) == count
    assert told == {
        ("steady", "completed", 1): 2 * count,
        ("shaky", "completed", 2): count,
        ("nests", "completed", 1): count,
        ("tells", "completed", 1): count,
        ("asks", "completed", 1): count,
    }
    signed = Counter(line.split()[0] for line in ledger.read_text().splitlines())
    happened = Counter(event.resource["flowsource.resource.id"] for event in await events_of(store, "fire.told"))
    for run in kept.values():
        assert [attempt.number for attempt in await store.attempts(run.id)] == list(range(1, run.attempt + 1))
        if run.flow != "endless":
            assert signed[str(run.id)] == run.attempt
        if run.flow == "steady":
            lines = [line.text for line in await store.lines(run.id, after=BEFORE_ALL, limit=ALL)]
            assert [text for text in lines if text.startswith("line ")] == [f"line {n}" for n in range(LINES)]
        if run.flow == "nests":
            inside = await store.runs(parent_id=run.id, limit=ALL)
            assert Counter((one.flow, one.state) for one in inside) == {("inner", RunState.COMPLETED): 3}
        if run.flow == "tells":
            assert [happened.pop(f"{run.id}.{number}") for number in range(3)] == [1, 1, 1]
    assert not happened


async def events_of(store: Store, name: str) -> list[Event]:
    """All events of a name, in order."""
    found: list[Event] = []
    page = await store.events(after=0, names=[name])
    while True:
        found += page.events
        if page.is_last:
            return found
        page = await store.events(after=page.upto, names=[name])
