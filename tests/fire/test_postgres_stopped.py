"""PostgreSQL is stopped, killed and started again and again while runs are asked for, claimed, executed and told."""

from __future__ import annotations

import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from flowsource.errors import StoreUnavailable
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.fire.checking import untrue
from tests.fire.length import FULL, rounds
from tests.fire.mixture import LINES, STEADY_AND_SHAKY
from tests.support.live import serving
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(7200 if FULL else 300)]

SCRIPT = f"""
import random, time
from flowsource import current_run, flow, serve
{STEADY_AND_SHAKY}
if __name__ == "__main__":
    serve(steady.to_deployment("steady"), shaky.to_deployment("shaky", global_limit=2), limit=4)
"""
DEPLOYMENTS = ("steady", "shaky")
# How many runs of each there are to be for each stop.
RUNS = 8 if FULL else 4


@pytest.mark.timeout(7200)
async def test_through_every_stop_of_the_database_each_attempt_is_made_and_told_once(tmp_path: Path) -> None:
    chance = random.Random(11)
    stops = rounds("stops of PostgreSQL", short=4, full=200)
    script, home = tmp_path / "flows.py", tmp_path / "home"
    script.write_text(SCRIPT)
    asked: list[Run] = []
    signed = {"LEDGER": str(tmp_path / "ledger")}
    with postgres_server() as postgres, postgres.database() as address:
        async with (
            serving(script, home, address=address, environ=signed) as one,
            serving(script, home, address=address, environ=signed) as other,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(ask_for, one.store, stops * RUNS, asked)
            for number in range(stops):
                await anyio.sleep(chance.uniform(0.3, 3))
                await interrupt(postgres, number, chance)
            await one.until(lambda: len(asked) == 2 * stops * RUNS, "all to be asked for", within=120)
            for run in asked:
                await until_final(one.store, run)
            assert (await one.stop(), await other.stop()) == (0, 0)
        async with open_store(address) as store:
            assert await untrue(store, home, acknowledged=[run.id for run in asked], ledger=tmp_path / "ledger") == []
            await is_exact(store, asked, tmp_path / "ledger")


async def ask_for(store: Store, count: int, asked: list[Run]) -> None:
    """Ask for `count` runs of each deployment, with a key so that what was not answered can be asked for again."""
    for number in range(count):
        for name in DEPLOYMENTS:
            while True:
                with suppress(StoreUnavailable):  # It is stopped again and again.
                    asked.append(await request_run(store, name, {}, idempotency_key=str(number)))
                    break
                await anyio.sleep(0.1)
        await anyio.sleep(0.1)


async def interrupt(postgres: PostgresServer, number: int, chance: random.Random) -> None:
    """End the server in one way or another, for a while, or every connection to it."""
    way = number % 3
    if way == 2:
        for _ in range(5):
            await anyio.to_thread.run_sync(
                postgres.ask,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            )
            await anyio.sleep(chance.uniform(0, 0.3))
        return
    await anyio.to_thread.run_sync(postgres.stop, (signal.SIGQUIT, signal.SIGINT)[way])
    await anyio.sleep(chance.uniform(0, 2))
    await anyio.to_thread.run_sync(postgres.start)


async def until_final(store: Store, run: Run) -> None:
    with anyio.fail_after(120):
        while True:
            with suppress(StoreUnavailable):  # It is stopped again and again.
                if (await store.run(str(run.id))).state.is_final:
                    return
            await anyio.sleep(0.05)


async def is_exact(store: Store, asked: list[Run], ledger: Path) -> None:
    """Nothing is left over, and what is told is what was done: each attempt once, to its end, with every line."""
    kept = {run.id: run for run in await store.runs(limit=100_000)}
    assert kept.keys() == {run.id for run in asked}
    assert Counter((run.deployment, run.state, run.attempt) for run in kept.values()) == {
        ("steady/steady", RunState.COMPLETED, 1): len(asked) // 2,
        ("shaky/shaky", RunState.COMPLETED, 2): len(asked) // 2,
    }
    done = Counter(ledger.read_text().splitlines())
    assert done == Counter(f"{run.id} {number}" for run in kept.values() for number in range(1, run.attempt + 1))
    for run in kept.values():
        attempts = await store.attempts(run.id)
        assert [attempt.number for attempt in attempts] == list(range(1, run.attempt + 1))
        lines = await store.lines(run.id)
        if run.deployment == "steady/steady":
            assert [line.text for line in lines if line.text.startswith("line ")] == [f"line {n}" for n in range(LINES)]
