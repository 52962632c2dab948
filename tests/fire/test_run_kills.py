"""Whoever is killed, at whatever moment: no attempt is made twice, no run is stuck, and nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.fire.checking import SIGN, untrue
from tests.fire.length import rounds
from tests.support.live import Serving, processes_below, serving
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

SCRIPT = f"""
import random, subprocess, sys, time
from flowsource import current_run, flow
{SIGN}
@flow
def quick():
    sign()

@flow
def slow():
    sign()
    subprocess.Popen([sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)"], start_new_session=True)
    time.sleep(random.uniform(0, 0.3))

@flow(retries=2)
def shaky():
    sign()
    if current_run().attempt < 3:
        raise ValueError("not yet")

if __name__ == "__main__":
    from flowsource import serve

    serve(
        quick.to_deployment("quick"),
        slow.to_deployment("slow"),
        shaky.to_deployment("shaky"),
        slow.to_deployment("again", on_lost="rerun"),
        limit=4,
    )
"""
DEPLOYMENTS = ("quick", "slow", "shaky", "again")
# How each round ends that does not end with the server: one of its runs is killed, or what starts them.
VICTIMS = ("run", "guardian", "run", "server")
# From the request of four runs to their end it takes about that long.
LONGEST = 0.5


@pytest.mark.timeout(3600)
async def test_killed_at_any_moment_no_attempt_is_made_twice_and_no_run_is_stuck(tmp_path: Path) -> None:
    chance, home, ledger = random.Random(7), tmp_path / "home", tmp_path / "ledger"
    signing = {"LEDGER": str(ledger)}
    script = tmp_path / "flows.py"
    script.write_text(SCRIPT)
    victims = [VICTIMS[n % len(VICTIMS)] for n in range(rounds("kills while runs go on", short=8, full=1000))]
    asked: list[Run] = []
    while victims:
        async with serving(script, home, environ=signing) as server:
            while victims:
                asked += [await request_run(server.store, name, {}) for name in DEPLOYMENTS]
                await anyio.sleep(chance.uniform(0, LONGEST))
                if kill(server, victim := victims.pop(0), chance) and victim == "server":
                    await server.ended()
                    break
    await until_all_is_gone(home)
    async with serving(script, home, environ=signing) as server:
        ended = [await server.until_final(run) for run in asked]
        assert await server.stop() == 0
    async with open_store(f"sqlite:///{home / 'flowsource.db'}") as store:
        assert await untrue(store, home, acknowledged=[run.id for run in asked], ledger=ledger) == []
        for run in ended:
            await is_told(store, run)


def kill(server: Serving, victim: str, chance: random.Random) -> bool:
    """Kill one process, if there is one of that kind just now."""
    guardian = next(iter(children_of(server.process.pid)), None)
    runs = children_of(guardian) if guardian is not None else []
    chosen = {"server": server.process.pid, "guardian": guardian, "run": chance.choice(runs) if runs else None}[victim]
    if chosen is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(chosen, signal.SIGKILL)
    return True


def children_of(pid: int) -> list[int]:
    """The processes that a process started, from any of its threads."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


async def until_all_is_gone(home: Path) -> None:
    with anyio.fail_after(PATIENCE):
        while processes_below(home):  # noqa: ASYNC110 - other processes set no event for us
            await anyio.sleep(0.01)


async def is_told(store: Store, run: Run) -> None:
    """What became of a run is told: each attempt has its end, and each end but the good one its reason."""
    attempts = await store.attempts(run.id)
    assert [attempt.number for attempt in attempts] == list(range(1, run.attempt + 1))
    assert all(attempt.ended_at is not None for attempt in attempts)
    if run.state is not RunState.COMPLETED:
        assert run.state is RunState.CRASHED
        assert run.failure is not None
        assert run.failure.message
