"""What several processes do at the same time to a store that many write; each function is the work of one of them."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from uuid import UUID, uuid4

import anyio

from flowsource.errors import StoreUnavailable
from flowsource.runs import RunState
from flowsource.store import open_store
from flowsource.store.values import NewRun, Outcome
from tests.store.racing import wait_for_the_start
from tests.store.words import ANNA, BOOM, HOUR, NOW, registration, serve

# When a run was in progress, by a clock that all processes of a machine share, and by whom it was executed.
Interval = tuple[float, float]


def execute_within_the_limit(pipe: Connection, url: str, limit: int, total: int) -> None:
    """Serve a deployment with a global limit until `total` runs have ended; tells when each of ours went on."""

    async def work() -> list[Interval]:
        intervals = []
        async with open_store(url) as store:
            server = await serve(store, registration(global_limit=limit), lease=HOUR)
            wait_for_the_start(pipe)
            while len(await store.runs(states=[RunState.COMPLETED], limit=total)) < total:
                for run in await server.claim(limit=3):
                    begun = time.monotonic()
                    await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())
                    intervals.append((begun, time.monotonic()))
                    await store.finish(
                        run.id, run.epoch, Outcome(state=RunState.COMPLETED), at=NOW, transition_id=uuid4()
                    )
        return intervals

    pipe.send(anyio.run(work))


def fail_each_once(pipe: Connection, url: str) -> None:
    """Claim all that is due, one at a time, and fail it, so that it is to be tried again; tells how many those were."""

    async def work() -> int:
        count = 0
        async with open_store(url) as store:
            server = await serve(store, registration(), lease=HOUR)
            wait_for_the_start(pipe)
            again = Outcome(state=RunState.FAILED, failure=BOOM, retry_at=NOW + HOUR)
            while runs := await server.claim(limit=1):
                for run in runs:
                    await store.finish(run.id, run.epoch, again, at=NOW, transition_id=uuid4(), began_at=NOW)
                    count += 1
        return count

    pipe.send(anyio.run(work))


def cancel_each(pipe: Connection, url: str, ids: list[UUID]) -> None:
    """Ask for each of these runs to end; tells that it is done."""

    async def work() -> None:
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            for run_id in ids:
                await store.ask_cancel(run_id, ANNA, now=NOW)

    anyio.run(work)
    pipe.send("done")


def ask_with_keys(pipe: Connection, url: str, deployment_id: UUID, count: int) -> None:
    """Ask for a run with each of `count` keys, which others use too; tells the ids that it was answered."""

    async def work() -> list[UUID]:
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            asked = [
                NewRun(deployment_id=deployment_id, scheduled_at=NOW, idempotency_key=str(k)) for k in range(count)
            ]
            return [(await store.create_run(new, now=NOW)).id for new in asked]

    pipe.send(anyio.run(work))


def hint_and_pause(pipe: Connection, url: str, deployment_id: UUID, count: int) -> None:
    """Give `count` hints for two sources, and hold and resume a deployment as often; tells that it is done."""

    async def work() -> None:
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            for number in range(count):
                await store.hint_sources(["a", "b"] if number % 2 else ["b", "a"])
                await store.set_paused(deployment_id, bool(number % 2), author=ANNA, now=NOW)

    anyio.run(work)
    pipe.send("done")


def register_and_leave(pipe: Connection, url: str, count: int) -> None:
    """Register two deployments and take leave again, `count` times; tells that it is done."""

    async def work() -> None:
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            for _ in range(count):
                server = await serve(store, registration("one"), registration("two"))
                await store.retire(server.id, now=NOW)

    anyio.run(work)
    pipe.send("done")


def ask_through_trouble(pipe: Connection, url: str, deployment_id: UUID, count: int) -> None:
    """Ask for `count` runs, again where the store was away; tells the ids of those that were acknowledged."""

    async def work() -> list[UUID]:
        acknowledged: list[UUID] = []
        async with open_store(url) as store:
            wait_for_the_start(pipe)
            while len(acknowledged) < count:
                new = NewRun(deployment_id=deployment_id, scheduled_at=NOW)
                try:
                    acknowledged.append((await store.create_run(new, now=NOW)).id)
                except StoreUnavailable:
                    await anyio.sleep(0.01)
        return acknowledged

    pipe.send(anyio.run(work))
