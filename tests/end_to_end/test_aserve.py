"""`aserve`: served from a running event loop, and ended by cancelling it."""

from __future__ import annotations

import gc
from pathlib import Path

import anyio
import pytest

from flowsource import arun_deployment, flow
from flowsource.runs import RunState
from tests.support.live import processes_below

pytestmark = pytest.mark.anyio

CODE = """
import time

def nap(seconds: float = 0):
    time.sleep(seconds)
    return seconds
"""


async def test_cancelling_it_ends_what_goes_on_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWSOURCE_HOME", str(tmp_path / "home"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "naps.py").write_text(CODE)
    napping = await flow.afrom_source(tmp_path / "code", "naps.py:nap")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(napping.aserve, "here")
        while True:
            try:
                short = await arun_deployment("nap/here", {"seconds": 0})
                break
            except LookupError:
                await anyio.sleep(0.02)
        while True:
            # The same run each time, by its key.
            long = await arun_deployment("nap/here", {"seconds": 600}, timeout=0, idempotency_key="long")
            if long.state is RunState.RUNNING:
                break
            await anyio.sleep(0.02)
        left_alone = gc.get_freeze_count()
        tasks.cancel_scope.cancel()
    # Collections take no time from runs, and afterwards see all that they saw before.
    assert left_alone > 0
    assert gc.get_freeze_count() == 0
    assert short.result == 0
    ended = await arun_deployment("nap/here", {"seconds": 600}, timeout=0, idempotency_key="long")
    assert (ended.id, ended.state) == (long.id, RunState.CANCELLED)
    assert ended.failure is not None
    assert ended.failure.message == "its server was stopped before it ended"
    assert processes_below(tmp_path / "home") == []
