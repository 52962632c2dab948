"""A deployment that asks for what another of its options takes away."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.live import serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    from flowsource import flow, serve

    @flow
    def tick(): ...

    if __name__ == "__main__":
        serve(
            tick.to_deployment("in-vain", cron="@yearly", catchup="all"),
            tick.to_deployment("going-on", cron="@yearly", catchup="all", pause_on_shutdown=False),
            tick.to_deployment("on-request", catchup="all"),
            tick.to_deployment("usual", cron="@yearly"),
        )
"""


async def test_a_catchup_that_makes_up_for_nothing_is_told_at_the_start(tmp_path: Path) -> None:
    script = tmp_path / "flows.py"
    script.write_text(dedent(SCRIPT))
    async with serving(script, tmp_path / "home") as server:
        assert await server.stop() == 0
    told = [line for line in server.said.splitlines() if "makes up for nothing" in line]
    assert told == [
        "tick/in-vain: catchup='all' makes up for nothing here, for its schedules pause while nobody serves it; "
        "say pause_on_shutdown=False beside it."
    ]
