"""Schedules that people set while servers run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runs import Run
from flowsource.schedules import Interval
from tests.store.words import ANNA
from tests.support.clocks import clock
from tests.support.live import Serving, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    from flowsource import flow

    @flow
    def tick(n: int = 0):
        return n

    if __name__ == "__main__":
        tick.serve("tock", {schedule}tags=["etl"])
"""
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


async def scheduled(server: Serving) -> list[Run]:
    """The runs that schedules made, oldest first."""
    runs = await server.store.runs(limit=1000)
    return sorted((run for run in runs if run.schedule is not None), key=lambda run: run.scheduled_at)


async def until_there_are(server: Serving, count: int) -> list[Run]:
    async def is_so() -> bool:
        return len(await scheduled(server)) >= count

    await server.until(is_so, f"{count} runs of schedules")
    return await scheduled(server)


async def test_a_schedule_that_is_added_while_two_servers_run_makes_one_run_of_each_instant(tmp_path: Path) -> None:
    script, home = tmp_path / "flows.py", tmp_path / "home"
    script.write_text(dedent(SCRIPT).format(schedule=""))
    async with serving(script, home) as one, serving(script, home) as other:
        deployment = await one.store.deployment("tock")
        mine = Interval(1, slug="mine", parameters={"n": 7}, catchup="all")
        added = await one.store.add_schedule(deployment.id, mine, ANNA, now=datetime.now(UTC))
        runs = await until_there_are(one, 5)
        await one.store.set_schedule_active(deployment.id, added.key, False, ANNA, now=datetime.now(UTC))
        assert {later.scheduled_at - run.scheduled_at for run, later in pairwise(runs)} == {SECOND}
        ended = await one.until_final(runs[0])
        assert (ended.parameters, ended.result) == ({"n": 7}, 7)
        assert (await one.stop(), await other.stop()) == (0, 0)


async def test_an_hourly_interval_fires_although_its_server_starts_again_every_50_minutes(tmp_path: Path) -> None:
    script, home = tmp_path / "flows.py", tmp_path / "home"
    script.write_text(dedent(SCRIPT).format(schedule="interval=3600, pause_on_shutdown=False, "))
    with clock(tmp_path / "clock") as set_clock:
        begun = set_clock.now()
        for start in range(3):
            set_clock.set_to(begun + start * 50 * MINUTE)
            async with serving(script, home, environ=set_clock.environ) as server:
                runs = await until_there_are(server, start * 50 // 60)
                [state] = await server.store.schedules([(await server.store.deployment("tock")).id])
                assert await server.stop() == 0
    assert isinstance(state.schedule, Interval)
    anchor = state.schedule.anchor_date
    assert anchor is not None
    assert begun <= anchor < begun + 10 * MINUTE
    assert [run.scheduled_at - anchor for run in runs] == [HOUR]
