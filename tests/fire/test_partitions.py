"""Hosts are cut off from each other, in either direction, for shorter and longer than a lease, while runs go on."""

from __future__ import annotations

import random
import sys
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.fire.checking import SIGN, untrue
from tests.fire.length import FULL, rounds
from tests.fire.short_leases import LEASE, SERVER, SHORT
from tests.support.fleets import Fleet, stop, written
from tests.support.git_hosts import git_host
from tests.support.hosts import Host, hosts
from tests.support.parts import requires
from tests.support.serving import READY, ServingScript
from tests.support.waiting import until, until_true

CUTS = rounds("seeded cuts between hosts", short=0, full=60)
FINAL = [state for state in RunState if state.is_final]
RUNNERS = 5 if FULL else 2
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(7200 if FULL else 300)]

# Every attempt holds a lock for as long as its process is there, which those on all hosts see.
FLOWS = f"""
import fcntl, os, time
from flowsource import current_run, flow
{SIGN}
def alone():
    held = open(os.environ["LEDGER"] + "." + str(current_run().id), "w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with open(os.environ["LEDGER"] + ".overlaps", "a") as told:
            told.write(str(current_run().id) + "\\n")
    return held

@flow(log_prints=True)
def work(seconds: float = 0, gate: str = ""):
    held = alone()
    sign()
    print("begun")
    if gate:
        with open(gate + f".{{current_run().attempt}}", "w") as told:
            told.write(str(os.stat("/proc/self/ns/net").st_ino))
    until = time.monotonic() + seconds
    while time.monotonic() < until or (gate and not os.path.exists(gate)):
        time.sleep(0.02)
    print("done")
    return current_run().attempt
"""
SCRIPT = (
    SHORT
    + """
from flowsource import GitRepository, flow, serve

if __name__ == "__main__":
    work = flow.from_source(GitRepository({url!r}, pull_interval=1), "flows.py:work")
    serve(work.to_deployment("once"), work.to_deployment("again", on_lost="rerun"), limit=8)
"""
)


@dataclass
class Stage:
    """Hosts by what is on them, and the store that is behind the server."""

    place: Path
    store: Store
    server: Host
    git: Host
    runners: list[Host]
    serving: list[ServingScript]
    asked: list[Run]

    async def ask(self, name: str, **parameters: Any) -> Run:
        """Ask for a run of that deployment."""
        run = await request_run(self.store, name, parameters)
        self.asked.append(run)
        return run

    async def held(self, name: str) -> tuple[Run, Path, Host]:
        """A run of that deployment that goes on until its gate is there, and the host that executes it."""
        gate = self.place / f"gate-{len(self.asked)}"
        run = await self.ask(name, gate=str(gate))
        return run, gate, await self.host_of(gate, attempts="1")

    async def until_in(self, run: Run, *states: RunState) -> None:
        """Wait until a run is in one of these states; raises AssertionError, with what happened to it and was said."""

        async def is_in() -> bool:
            return (await self.store.run(str(run.id))).state in states

        try:
            await until_true(is_in)
        except TimeoutError:
            steps = [(step.state, step.at, step.reason) for step in await self.store.transitions(run.id)]
            said = {runner.home.name: runner.output[-3000:] for runner in self.serving}
            raise AssertionError(f"{run.name} is in none of {states}: {steps}; {said}") from None

    async def host_of(self, gate: Path, *, attempts: str) -> Host:
        """The host on which one of these attempts has begun, once it has."""

        def notes() -> list[str]:
            found = gate.parent.glob(f"{gate.name}.{attempts}")
            return [text for note in found if (text := note.read_text())]

        await until(lambda: notes() != [])
        return next(host for host in self.runners if str(host.network) in notes())


async def test_hosts_that_are_cut_off_do_nothing_twice_and_lose_nothing(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
    repository.commit_files({"flows.py": FLOWS})
    ledger, address = tmp_path / "ledger", f"sqlite:///{tmp_path / 'server.db'}"
    with hosts(RUNNERS + 2) as (server, git, *runners):
        fleet = Fleet(tmp_path, address, variables={"LEDGER": str(ledger)})
        fleet.server_command = (sys.executable, str(written(tmp_path / "server.py", SERVER)), "server", "start")
        async with AsyncExitStack() as stack:
            url = stack.enter_context(git_host(git, tmp_path / "served"))
            hosted = stack.enter_context(fleet.server(server))
            hosted.wait_until_ready()
            script = written(tmp_path / "script" / "serve.py", SCRIPT.format(url=f"{url}/flows.git"))
            token = await fleet.token("fleet", "runner")
            started = [stack.enter_context(fleet.runner(host, script, hosted, token)) for host in runners]
            for runner in started:
                runner.wait_until_said(READY)
            store = await stack.enter_async_context(open_store(address))
            stage = Stage(tmp_path, store, server, git, runners, started, [])
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keep_asking, stage)
                await through_cuts_that_are_known(stage)
                await through_cuts_by_chance(stage, random.Random(23))
                tasks.cancel_scope.cancel()
            for run in stage.asked:
                await stage.until_in(run, *FINAL)
            assert stop(started) == [0] * RUNNERS
            await is_exact(store, stage.asked)
        assert not (tmp_path / "ledger.overlaps").exists()
        async with open_store(address) as store:
            for host in runners:
                told = {run.id for run in stage.asked}
                assert await untrue(store, fleet.home(host), acknowledged=told, ledger=ledger) == []


async def through_cuts_that_are_known(stage: Stage) -> None:
    """What is to be shown once for certain."""
    with stage.git.mute():
        # Code is there already, and runs do not wait for where it came from.
        await stage.until_in(await stage.ask("once"), *FINAL)
    for part in (stage.server.deaf, stage.server.mute):
        with part():
            await anyio.sleep(LEASE / 6)
    again, of_again, where = await stage.held("again")
    once, of_once, there = await stage.held("once")
    with where.deaf():
        # Cut off, it has ended what may be run again before somebody else begins it: at the second attempt, or at the
        # third, where the second was given to it and it did not hear so.
        assert await stage.host_of(of_again, attempts="[23]") is not where
    with there.mute():
        await stage.until_in(once, RunState.LOST)
    # It goes on, and so it is found again.
    await stage.until_in(once, RunState.RUNNING)
    for gate in (of_again, of_once):
        gate.touch()
    for run in (again, once):
        await stage.until_in(run, *FINAL)


async def through_cuts_by_chance(stage: Stage, chance: random.Random) -> None:
    """One or two hosts are cut off at a time, for less and for more than a lease."""
    for _ in range(CUTS):
        chosen = chance.sample([stage.server, stage.git, *stage.runners], chance.choice((1, 1, 2)))
        with ExitStack() as cuts:
            for host in chosen:
                cuts.enter_context(chance.choice((host.deaf, host.mute))())
            await anyio.sleep(chance.uniform(0.5, LEASE * chance.choice((0.5, 2.5))))
        await anyio.sleep(chance.uniform(0, LEASE))


async def keep_asking(stage: Stage) -> None:
    """Ask for runs of both kinds, of any length, until cancelled."""
    chance = random.Random(5)
    while True:
        await stage.ask(chance.choice(("once", "again")), seconds=chance.choice((0, 0, 0.5, 3)))
        await anyio.sleep(1)


async def is_exact(store: Store, asked: list[Run]) -> None:
    """Each run came to its end, and what may not be run again was begun once."""
    ended = [await store.run(str(run.id)) for run in asked]
    assert Counter(run.state for run in ended) == {RunState.COMPLETED: len(asked)}
    assert {run.attempt for run in ended if run.deployment == "work/once"} == {1}
    assert [run.name for run in ended if run.result != run.attempt] == []
    for run in ended:
        attempts = await store.attempts(run.id)
        assert [attempt.number for attempt in attempts] == list(range(1, run.attempt + 1))
