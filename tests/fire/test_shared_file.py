"""Several processes on one SQLite file for a long time: nobody is refused, and nothing is lost or done twice."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from tests.fire.checking import untrue
from tests.fire.length import FULL, rounds
from tests.support.live import serving

SECONDS = rounds("seconds on one file", short=15, full=4 * 3600)
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(SECONDS + 240 if FULL else 300)]

SCRIPT = """
from flowsource import flow, serve

@flow
def talk():
    for number in range(50):
        print("line", number)

if __name__ == "__main__":
    serve(talk.to_deployment("often", interval=1), talk.to_deployment("asked"), limit=4)
"""
COMMANDS = (
    ["runs", "ls", "--json"],
    ["deployments", "ls", "--json"],
    ["deployments", "pause", "often"],
    ["deployments", "resume", "often"],
    ["source", "ls", "--json"],
)


async def test_two_servers_commands_and_a_slow_reader_share_a_file_without_an_error(tmp_path: Path) -> None:
    script, home = tmp_path / "flows.py", tmp_path / "home"
    script.write_text(SCRIPT)
    refused: list[str] = []
    asked: list[Run] = []
    async with serving(script, home) as one, serving(script, home) as other, anyio.create_task_group() as tasks:
        until = time.monotonic() + SECONDS
        tasks.start_soon(give_commands, home, until, refused)
        tasks.start_soon(read_slowly, home / "flowsource.db", until)
        while time.monotonic() < until:
            asked.append(await request_run(one.store, "asked", {}))
            await anyio.sleep(0.2)
        ended = [await one.until_final(run) for run in asked]
        said = one.said + other.said
        assert (await one.stop(), await other.stop()) == (0, 0)
    assert refused == []
    assert [line for line in said.splitlines() if "locked" in line or "the store" in line] == []
    assert Counter(run.state for run in ended) == {RunState.COMPLETED: len(asked)}
    async with open_store(f"sqlite:///{home / 'flowsource.db'}") as store:
        assert await untrue(store, home, acknowledged=[run.id for run in asked]) == []
        runs = await store.runs(limit=1_000_000)
        assert max(Counter((run.schedule, run.scheduled_at) for run in runs if run.schedule).values()) == 1
        assert {run.attempt for run in runs if run.state is RunState.COMPLETED} == {1}
        for run in ended[:100]:
            told = [line.text for line in await store.lines(run.id)]
            assert [text for text in told if text.startswith("line ")] == [f"line {number}" for number in range(50)]


async def give_commands(home: Path, until: float, refused: list[str]) -> None:
    """Give one command after the other, as people do, and keep what any of them says against it."""
    environment = {**os.environ, "FLOWSOURCE_HOME": str(home)}
    while time.monotonic() < until:
        for words in COMMANDS:
            command = [sys.executable, "-m", "flowsource", *words]
            done = await anyio.run_process(command, check=False, env=environment, stderr=subprocess.PIPE)
            if done.returncode:
                refused.append(f"{words}: {done.stderr.decode()}")
            elif "--json" in words:
                json.loads(done.stdout)


async def read_slowly(file: Path, until: float) -> None:
    """Hold one answer open for seconds, again and again, as a person with a tool of his own may."""
    while time.monotonic() < until:
        reader = sqlite3.connect(file, isolation_level=None)
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM runs").fetchone()
        await anyio.sleep(min(5.0, max(0.0, until - time.monotonic())))
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == before
        reader.close()
