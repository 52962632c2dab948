"""The clock of a machine is set, forward and back, while servers serve there."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from sqlalchemy import create_engine, select

from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from flowsource.schedules import Interval
from flowsource.store.tables import runners
from tests.support.clocks import Clock, clock
from tests.support.live import Serving, processes_below, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    import os, select, time
    from datetime import timedelta
    from flowsource import current_run, flow

    # What sets our clock knows no sleep that lasts until a moment of another one.
    time.sleep = lambda seconds: select.select([], [], [], seconds)

    def sign():
        run = current_run()
        ledger = os.open(os.environ["FLOWSOURCE_HOME"] + "/ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(ledger, f"{run.id} {run.attempt}\\n".encode())

    @flow
    def tick():
        sign()

    @flow
    def wait(until: str):
        sign()
        while not os.path.exists(until):
            time.sleep(0.005)

    if __name__ == "__main__":
        from flowsource import serve
        from flowsource.runner import claims, presence, scheduling

        for module in (claims, scheduling):
            module.LOOK_EVERY = timedelta(seconds=0.1)
        presence.RENEW_EVERY = timedelta(seconds=2)
        serve(
            tick.to_deployment("pulse", interval=1),
            tick.to_deployment("latest", interval=3600),
            tick.to_deployment("all", interval=3600, catchup="all"),
            tick.to_deployment("none", interval=3600, catchup="none"),
            wait.to_deployment("wait"),
            limit=8,
        )
"""
HOUR = timedelta(hours=1)
# The clock is set to so long after an hour: within what one who was there all the time looks back to.
JUST_AFTER = timedelta(seconds=10)
# Hours after the first start. The second is there for the second time by then, and what came before the first for the
# first time.
HOURS = (3, 2, -1, 4, 1, 6)
UNFINISHED = [state for state in RunState if not state.is_final]
RUN, SKIPPED = RunState.COMPLETED, RunState.SKIPPED
LATEST = {-1: RUN, 1: SKIPPED, 2: SKIPPED, 3: RUN, 4: RUN, 5: SKIPPED, 6: RUN}
BECAME = {"latest": LATEST, "none": LATEST, "all": dict.fromkeys((-1, 1, 2, 3, 4, 5, 6), RUN)}


async def test_a_clock_that_is_set_doubles_no_run_and_loses_none_and_no_lease_ends(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(dedent(SCRIPT))
    with clock(tmp_path / "clock") as set_clock:
        await serve_while_it_is_set(tmp_path, set_clock)
    assert processes_below(tmp_path / "home") == []
    assert max(Counter(ledger(tmp_path / "home").splitlines()).values()) == 1


async def serve_while_it_is_set(tmp_path: Path, clock: Clock) -> None:
    script, home = tmp_path / "flows.py", tmp_path / "home"
    async with (
        serving(script, home, environ=clock.environ) as server,
        serving(script, home, environ=clock.environ) as other,
    ):
        held = [await request_run(server.store, "wait", {"until": str(tmp_path / "go on")}) for _ in range(6)]
        await server.until(lambda: all(str(run.id) in ledger(home) for run in held), "runs to begin")
        first = await anchor(server, "pulse")
        for hour in HOURS:
            clock.set_to(first + hour * HOUR + JUST_AFTER)
            await until_pulse(server, clock)
        await server.until(lambda: leases_hold(home, clock), "both servers to renew their leases")
        (tmp_path / "go on").touch()
        for run in held:
            await server.until_final(run)
            steps = [step.state for step in await server.store.transitions(run.id)]
            assert steps == [RunState.SCHEDULED, RunState.CLAIMED, RunState.RUNNING, RunState.COMPLETED]
        for name in BECAME:
            await until_done(server, name)
            assert await became(server, name) == BECAME[name]
        assert (await other.stop(), await server.stop()) == (0, 0)


def ledger(home: Path) -> str:
    return (home / "ledger").read_text() if (home / "ledger").exists() else ""


async def anchor(server: Serving, name: str) -> datetime:
    [schedule] = (await server.store.deployment(f"tick/{name}")).declared.schedules
    assert isinstance(schedule, Interval)
    assert schedule.anchor_date is not None
    return schedule.anchor_date


async def until_pulse(server: Serving, clock: Clock) -> None:
    """Wait until what comes due each second has come due, and has ended, since the clock was set."""
    set_to = clock.now()
    pulse = await server.store.deployment("tick/pulse")

    async def has_beaten() -> bool:
        runs = await server.store.runs(deployment_id=pulse.id, states=[RunState.COMPLETED], limit=1000)
        return any(set_to < run.scheduled_at <= clock.now() for run in runs)

    await server.until(has_beaten, f"a run at {set_to}")


async def until_done(server: Serving, name: str) -> None:
    deployment = await server.store.deployment(f"tick/{name}")

    async def is_done() -> bool:
        return not await server.store.runs(deployment_id=deployment.id, states=UNFINISHED, limit=1)

    await server.until(is_done, f"the runs of {name} to end")


async def became(server: Serving, name: str) -> dict[int, RunState]:
    """What became of each hour after the first start; of every instant there is one run."""
    deployment, first = await server.store.deployment(f"tick/{name}"), await anchor(server, name)
    found: defaultdict[int, list[RunState]] = defaultdict(list)
    for run in await server.store.runs(deployment_id=deployment.id, limit=1000):
        found[(run.scheduled_at - first) // HOUR].append(run.state)
    return {hour: state for hour, [state] in sorted(found.items())}


def leases_hold(home: Path, clock: Clock) -> bool:
    engine = create_engine(f"sqlite:///{home / 'flowsource.db'}")
    with engine.connect() as connection:
        ends = connection.scalars(select(runners.c.lease_until)).all()
    engine.dispose()
    return len(ends) == 2 and min(ends) > clock.now()
