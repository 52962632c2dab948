"""How long after a run was asked for has a runner that waits claimed it, over each kind of store.

python -m benchmarks.wake_up
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID, uuid4

import anyio
from anyio.from_thread import start_blocking_portal

from benchmarks.measure import SPREAD, paired_ratio, percentile, print_table, run_python, spread, take_turns
from benchmarks.serving import server_started
from flowsource.deployments import Declaration, FlowFacts
from flowsource.revisions import Revision
from flowsource.runner.claims import Slots, claim_runs
from flowsource.runs import Run
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun, Registration
from tests.support.postgres import postgres_server

ROUNDS = 100
_LEASE = timedelta(hours=1)


def main() -> None:
    """Ask in turns with a Python that does nothing, one kind of store after the other, and print the table."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as place, postgres_server() as postgres, ExitStack() as stack:
        root = Path(place)
        rows += _row("SQLite, one process", *_in_one_process(f"sqlite:///{root / 'one.db'}"))
        file = f"sqlite:///{root / 'two.db'}"
        rows += _row("SQLite, two processes", *_in_two(file, file, {}))
        address = stack.enter_context(postgres.database())
        rows += _row("PostgreSQL", *_in_two(address, address, {}))
        one = stack.enter_context(server_started(root / "over-file", f"sqlite:///{root / 'served.db'}"))
        rows += _row("HTTP over SQLite", *_in_two(one.url, one.url, {"FLOWSOURCE_TOKEN": one.token}))
        shared = stack.enter_context(postgres.database())
        first, second = (stack.enter_context(server_started(root / name, shared)) for name in ("first", "second"))
        variables = {"FLOWSOURCE_TOKEN": first.token}
        rows += _row("HTTP over PostgreSQL, another server each", *_in_two(first.url, second.url, variables))
    print_table(
        f"From the moment a run is asked for until it is claimed: {ROUNDS} rounds, each after a python -c pass",
        ["", *SPREAD, "p99 ms", "x nothing"],
        rows,
    )


def _row(name: str, nothing: list[float], claimed: list[float]) -> list[list[str]]:
    p99 = f"{percentile(claimed, 99) * 1000:.1f}"
    return [[name, *spread(claimed), p99, f"{paired_ratio(claimed, nothing):.2f}"]]


def _in_turns(ask: Callable[[], float]) -> tuple[list[float], list[float]]:
    return take_turns(lambda: run_python("pass").wall, ask, rounds=ROUNDS)


def _in_one_process(address: str) -> tuple[list[float], list[float]]:
    """Who asks and who claims have one store between them."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_opened(address)) as store,
    ):
        told: list[float] = []
        claimed = anyio.Event()
        runner_id, deployment_id = portal.call(_register, store)

        def on_claim(run: Run) -> None:
            told.append(time.time())
            claimed.set()

        async def ask() -> float:
            nonlocal claimed
            claimed = anyio.Event()
            asked_at = time.time()
            await _ask(store, deployment_id)
            await claimed.wait()
            return told[-1] - asked_at

        claiming = portal.start_task_soon(claim_runs, store, runner_id, [deployment_id], Slots(None), on_claim)
        found = _in_turns(lambda: portal.call(ask))
        claiming.cancel()
        return found


def _in_two(theirs: str, ours: str, variables: dict[str, str]) -> tuple[list[float], list[float]]:
    """Who claims is another process, which reaches the store at `theirs`; who asks reaches it at `ours`."""
    with (
        patch.dict(os.environ, variables),
        _claimer(theirs) as claimer,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_opened(ours)) as store,
    ):
        assert claimer.stdout is not None
        deployment = portal.call(store.deployment, claimer.stdout.readline().strip())
        told = claimer.stdout

        def ask() -> float:
            asked_at = time.time()
            portal.call(_ask, store, deployment.id)
            return float(told.readline()) - asked_at

        return _in_turns(ask)


@asynccontextmanager
async def _opened(address: str) -> AsyncIterator[Store]:
    async with open_store(address) as store:
        yield store


@contextmanager
def _claimer(address: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.wake_up", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def _claim_here(address: str) -> None:
    """Tell the name of a new deployment, and then the moment at which each of its runs was claimed."""
    async with open_store(address) as store:
        runner_id, deployment_id = await _register(store)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(claim_runs, store, runner_id, [deployment_id], Slots(None), _tell)
            # Not before it listens.
            await anyio.sleep(1)
            print("nothing/wake-up", flush=True)


def _tell(run: Run) -> None:
    print(time.time(), flush=True)


async def _register(store: Store) -> tuple[UUID, UUID]:
    declared = Declaration(name="wake-up", entrypoint="flows.py:nothing", source_key="none", source_label="none")
    new = Registration(declared=declared, facts=FlowFacts(name="nothing"), active=Revision(id="0" * 40))
    runner_id, now = uuid4(), store.now()
    [deployment] = await store.register(runner_id, [new], lease_until=now + _LEASE, now=now)
    return runner_id, deployment.id


async def _ask(store: Store, deployment_id: UUID) -> None:
    now = store.now()
    await store.create_run(NewRun(deployment_id=deployment_id, scheduled_at=now), now=now)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        anyio.run(_claim_here, sys.argv[1])
    else:
        main()
