"""Two servers whose clocks are two seconds apart watch a schedule that is due each second: every instant comes once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from flowsource.runs import RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.fire.checking import ALL, SIGN, untrue
from tests.fire.length import FULL, rounds
from tests.support.clocks import Clock, clock
from tests.support.live import Serving, serving
from tests.support.postgres import postgres_server

SECONDS = rounds("seconds of two clocks", short=8, full=3600)
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(SECONDS + 600 if FULL else 300)]

APART = timedelta(seconds=2)
SECOND = timedelta(seconds=1)
SCRIPT = f"""
import select, time
from flowsource import flow

# What sets our clock knows no sleep that lasts until a moment of another one.
time.sleep = lambda seconds: select.select([], [], [], seconds)
{SIGN}
@flow
def tick():
    sign()

if __name__ == "__main__":
    tick.serve("pulse", interval=1, limit=4)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shared.db'}"
        return
    with postgres_server() as postgres, postgres.database() as address:
        yield address


async def test_each_instant_comes_once_whoever_is_ahead(address: str, tmp_path: Path) -> None:
    script, ledger = tmp_path / "flows.py", tmp_path / "ledger"
    script.write_text(SCRIPT)
    with clock(tmp_path / "right.clock") as right, clock(tmp_path / "ahead.clock") as ahead:
        ahead.set_to(datetime.now(UTC) + APART)
        said = {"LEDGER": str(ledger)}
        async with (
            serving(script, tmp_path / "one", address=address, environ={**said, **right.environ}) as one,
            serving(script, tmp_path / "two", address=address, environ={**said, **ahead.environ}) as two,
        ):
            await keep_apart(one, right, ahead)
            await one.until(lambda: many_have_ended(one.store), "as many runs as seconds")
            assert (await one.stop(), await two.stop()) == (0, 0)
    async with open_store(address) as store:
        pulse = await store.deployment("pulse")
        made = sorted(run.scheduled_at for run in await store.runs(limit=ALL))
        instants = [made[0] + number * SECOND for number in range((made[-1] - made[0]) // SECOND + 1)]
        assert len(instants) >= SECONDS
        for home in ("one", "two"):
            found = await untrue(store, tmp_path / home, ledger=ledger, instants={pulse.id: instants})
            assert found == []
        # Who begins a run has it in the ledger, and no run is left in the middle.
        ended = await store.runs(states=[RunState.COMPLETED], limit=ALL)
        assert {f"{run.id} 1" for run in ended} == set(ledger.read_text().splitlines())


async def keep_apart(server: Serving, right: Clock, ahead: Clock) -> None:
    """Let the time pass; in between the one who was ahead is behind, and both take turns at that."""
    chance, until = random.Random(3), anyio.current_time() + SECONDS
    while (left := until - anyio.current_time()) > 0:
        assert server.process.poll() is None, server.said
        await anyio.sleep(min(left, chance.uniform(1, 5)))
        first, second = chance.sample((right, ahead), 2)
        first.set_to(datetime.now(UTC) + APART)
        second.set_to(datetime.now(UTC))


async def many_have_ended(store: Store) -> bool:
    # One that no server could begin in time, for the machine was busy, is skipped: it counts as well.
    return len(await store.runs(states=[RunState.COMPLETED, RunState.SKIPPED], limit=ALL)) >= SECONDS
