"""A server is away for as long as many leases last, while three runners go on: all of it is told when it is back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.fire.checking import SIGN, untrue
from tests.fire.length import FULL, rounds
from tests.fire.short_leases import LEASE, SERVER, SHORT
from tests.server.serving import make_token
from tests.support.fleets import stop, written
from tests.support.servers import ServerProcess
from tests.support.serving import READY, ServingScript, started
from tests.support.waiting import until, until_true

# Of what is ten times as fast an hour is six minutes.
AWAY = rounds("leases for which a server is away", short=2, full=60)
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(AWAY * LEASE + 300 if FULL else 300)]

HOSTS = 3
LINES = 40
SCRIPT = (
    SHORT
    + SIGN
    + f"""
import os, time
from flowsource import current_run, flow, serve

@flow(log_prints=True)
def work(gate: str):
    sign()
    open(f"{{gate}}.{{current_run().attempt}}", "w").close()
    for number in range({LINES}):
        print("line", number)
        while number == {LINES // 2} and not os.path.exists(gate):
            time.sleep(0.02)
    open(f"{{gate}}.over", "w").close()
    return current_run().attempt

if __name__ == "__main__":
    here = os.environ["HERE"]
    serve(work.to_deployment("once-" + here), work.to_deployment("again-" + here, on_lost="rerun"), limit=8)
"""
)


async def test_what_went_on_while_the_server_was_away_is_told_whole_and_once(tmp_path: Path) -> None:
    home, ledger = tmp_path / "server", tmp_path / "ledger"
    home.mkdir(mode=0o700)
    address = f"sqlite:///{home / 'flowsource.db'}"
    program = (str(written(tmp_path / "served" / "server.py", SERVER)),)
    server = ServerProcess(home, tmp_path / "server.log", program=program)
    script = written(tmp_path / "script" / "flows.py", SCRIPT)
    with running(server):
        async with open_store(address) as store:
            token = written(tmp_path / "fleet.token", await make_token(store, "fleet", "runner"))
            said = {"FLOWSOURCE_STORE": server.url, "FLOWSOURCE_TOKEN_FILE": str(token), "LEDGER": str(ledger)}
            with ExitStack() as stack:
                places = [tmp_path / f"runner-{number}" for number in range(HOSTS)]
                runners = [
                    stack.enter_context(started(script, place, environ={**said, "HERE": place.name}))
                    for place in places
                ]
                for runner in runners:
                    runner.wait_until_said(READY)
                once = {gate: await asked(store, gate) for gate in gates(tmp_path, places, "once")}
                again = {gate: await asked(store, gate) for gate in gates(tmp_path, places, "again")}
                for gate in (*once, *again):
                    await until(gate.with_name(f"{gate.name}.1").exists)
                server.end(signal.SIGKILL)
                await go_on_alone(list(once), runners)
                server.start()
                for gate in again:
                    gate.touch()
                for run in (*once.values(), *again.values()):
                    await until_true(partial(has_ended, store, run))
                assert stop(runners) == [0] * HOSTS
            assert await outcomes(store, once) == [(RunState.COMPLETED, 1, 1)] * HOSTS
            # They may be run again, and were ended before anybody else could have begun them; once more where the
            # machine stood still for longer than these short leases.
            once_more = [(RunState.COMPLETED, times, times) for times in (2, 3)]
            assert [outcome for outcome in await outcomes(store, again) if outcome not in once_more] == []
            for run in once.values():
                lines = [line.text for line in await store.lines(run.id) if line.text.startswith("line ")]
                assert lines == [f"line {number}" for number in range(LINES)]
                steps = [step.state for step in await store.transitions(run.id)]
                assert steps == [RunState.SCHEDULED, RunState.CLAIMED, RunState.RUNNING, RunState.COMPLETED]
            told = {run.id for run in (*once.values(), *again.values())}
            for place in places:
                assert await untrue(store, place, acknowledged=told, ledger=ledger) == []


@contextmanager
def running(server: ServerProcess) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def gates(place: Path, runners: list[Path], name: str) -> list[Path]:
    return [place / f"{name}-{runner.name}" for runner in runners]


async def asked(store: Store, gate: Path) -> Run:
    """A run of the deployment that is called as its gate, at which it waits half way."""
    return await request_run(store, gate.name, {"gate": str(gate)})


async def go_on_alone(once: list[Path], runners: list[ServingScript]) -> None:
    """Let the time pass without a server, and one run after the other end."""
    for gate in once:
        await anyio.sleep(AWAY * LEASE / len(once))
        gate.touch()
        await until(gate.with_name(f"{gate.name}.over").exists)
    assert [runner.process.poll() for runner in runners] == [None] * HOSTS


async def has_ended(store: Store, run: Run) -> bool:
    return (await store.run(str(run.id))).state.is_final


async def outcomes(store: Store, runs: dict[Path, Run]) -> list[tuple[RunState, int, object]]:
    ended = [await store.run(str(run.id)) for run in runs.values()]
    return [(run.state, run.attempt, run.result) for run in ended]
