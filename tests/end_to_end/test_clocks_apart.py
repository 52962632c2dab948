"""Runners whose clocks are ten minutes ahead of and behind that of their store: its time is the one that counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from flowsource.runner.presence import LEASE
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_database
from flowsource.store.protocol import Store
from flowsource.store.tables import runners
from tests.support.clocks import Clock, clock
from tests.support.live import Serving, serving
from tests.support.postgres import postgres_server
from tests.support.servers import server_process

pytestmark = pytest.mark.anyio

APART = timedelta(minutes=10)
SOON = timedelta(seconds=3)
# Two processes that ask each other for the time on a machine with much else to do.
ABOUT = timedelta(minutes=3)
SCRIPT = """
import os, select, time
from flowsource import flow

# What sets our clock knows no sleep that lasts until a moment of another one.
time.sleep = lambda seconds: select.select([], [], [], seconds)

@flow
def tick():
    pass

if __name__ == "__main__":
    tick.serve(os.environ["DEPLOYMENT"], interval=1, limit=4)
"""


@dataclass
class Reached:
    """A store: its database, and what a runner is given to reach it."""

    address: str
    variables: Mapping[str, str]


@pytest.fixture(params=["http", "postgresql"])
def reached(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reached]:
    if request.param == "postgresql":
        with postgres_server() as postgres, postgres.database() as address:
            yield Reached(address, {"FLOWSOURCE_STORE": address})
        return
    with server_process(tmp_path / "server") as server:
        token = server.token("fleet", "runner")
        variables = {"FLOWSOURCE_STORE": server.url, "FLOWSOURCE_TOKEN_FILE": str(token)}
        yield Reached(f"sqlite:///{server.home / 'flowsource.db'}", variables)


async def test_a_runner_with_a_wrong_clock_keeps_its_lease_and_runs_at_the_right_time(
    reached: Reached, tmp_path: Path
) -> None:
    script = tmp_path / "flows.py"
    script.write_text(SCRIPT)
    with clock(tmp_path / "behind.clock") as behind, clock(tmp_path / "ahead.clock") as ahead:
        behind.set_to(datetime.now(UTC) - APART)
        ahead.set_to(datetime.now(UTC) + APART)
        began_at = datetime.now(UTC)
        async with (
            wrong(script, tmp_path, reached, "behind", behind) as late,
            wrong(script, tmp_path, reached, "ahead", ahead) as early,
        ):
            store = late.store
            assert "600 s behind that of the store" in late.said
            assert "600 s ahead of that of the store" in early.said
            # Nobody is lost, and whoever dies is so after no more than a lease.
            assert await store.reap(now=datetime.now(UTC)) == []
            now = datetime.now(UTC)
            assert all(now < until < now + LEASE + ABOUT for until in leases(reached.address))
            assert len(leases(reached.address)) == 2
            for server, name in ((late, "behind"), (early, "ahead")):
                run = await request_run(store, name, {}, at=datetime.now(UTC) + SOON)
                ended = await server.until_final(run)
                assert ended.state is RunState.COMPLETED
                assert ended.started_at is not None
                assert run.scheduled_at <= ended.started_at < run.scheduled_at + ABOUT
            until = datetime.now(UTC)
            for name in ("behind", "ahead"):
                runs = await of_schedule(store, name)
                assert min(run.scheduled_at for run in runs) > began_at - ABOUT
                assert max(run.scheduled_at for run in runs) < until + ABOUT
                assert len({run.scheduled_at for run in runs}) == len(runs) > 2
                assert RunState.LOST not in {step.state for run in runs for step in await store.transitions(run.id)}
            assert (await late.stop(), await early.stop()) == (0, 0)


@asynccontextmanager
async def wrong(script: Path, place: Path, reached: Reached, name: str, clock: Clock) -> AsyncIterator[Serving]:
    """A runner by that clock, of a deployment of that name, on what stands for a host of its own."""
    variables = {**reached.variables, **clock.environ, "DEPLOYMENT": name}
    async with serving(script, place / f"{name}-home", environ=variables, address=reached.address) as server:
        await server.until_said("that of the store")
        yield server


def leases(address: str) -> list[datetime]:
    with closing(open_database(address)) as database:
        return list(database.read(lambda connection: connection.scalars(select(runners.c.lease_until)).all()))


async def of_schedule(store: Store, name: str) -> list[Run]:
    found = await store.runs(deployment_id=(await store.deployment(name)).id, limit=1000)
    return [run for run in found if run.schedule is not None]
