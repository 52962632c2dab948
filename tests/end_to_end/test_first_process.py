"""A server as the first process of a container, with nobody above it to clear up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runner.processes.descent import children_of
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from tests.support.live import Serving, processes_below, serving
from tests.support.parts import forbids, requires
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

IN_A_CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
LAUNCH = "import os\nos.execvp({program!r}, {command!r})\n"
SCRIPT = """
    import os, subprocess, time
    from datetime import timedelta
    from flowsource import flow

    @flow
    def wait(until: str):
        with open(until + ".begun", "w") as note:
            note.write(str(os.getpid()))
        while not os.path.exists(until):
            time.sleep(0.005)
        return os.getppid()

    if __name__ == "__main__":
        from flowsource.runner import orphans

        orphans.LOOK_EVERY = timedelta(seconds=0.05)
        subprocess.run(["sh", "-c", "for n in 1 2 3; do sleep 0 & done"])
        wait.serve(name="x")
"""


@asynccontextmanager
async def a_container(tmp_path: Path) -> AsyncIterator[tuple[Serving, int]]:
    """A server that is the first process of its own, and its pid out here. Ends the test where none can be had."""
    requires("unshare")
    tried = subprocess.run([*IN_A_CONTAINER, "true"], check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        forbids(f"no process can have a place of its own here: {tried.stderr.strip()}")
    (tmp_path / "flows.py").write_text(dedent(SCRIPT))
    command = [*IN_A_CONTAINER, sys.executable, str(tmp_path / "flows.py")]
    (tmp_path / "launch.py").write_text(LAUNCH.format(program=command[0], command=command))
    async with serving(tmp_path / "launch.py", tmp_path / "home") as server:
        [first] = children_of(server.process.pid)
        yield server, first
    await until(lambda: processes_below(tmp_path / "home") == [])


async def a_run(server: Serving, until: Path) -> Run:
    """A run that goes on until there is that file."""
    run = await request_run(server.store, "wait/x", {"until": str(until)})

    async def has_begun() -> bool:
        return (await server.store.run(str(run.id))).state is RunState.RUNNING and Path(f"{until}.begun").exists()

    await server.until(has_begun, "a run to begin")
    return run


async def test_it_buries_those_who_lost_their_parents_and_drains_on_a_signal(tmp_path: Path) -> None:
    async with a_container(tmp_path) as (server, first):
        run = await a_run(server, tmp_path / "go on")
        await server.until(lambda: len(children_of(first)) == 1, "no child to be left but what starts runs")
        os.kill(first, signal.SIGTERM)
        await server.until_said("waiting up to 30 s for 1 run")
        (tmp_path / "go on").touch()
        assert (await server.until_final(run)).state is RunState.COMPLETED
        assert await server.ended() == 0


async def test_when_what_starts_runs_is_killed_nothing_of_it_is_left(tmp_path: Path) -> None:
    async with a_container(tmp_path) as (server, first):
        run = await a_run(server, tmp_path / "never")
        await server.until(lambda: len(children_of(first)) == 1, "no child to be left but what starts runs")
        [guardian] = children_of(first)
        os.kill(guardian, signal.SIGKILL)
        assert (await server.until_final(run)).state is RunState.CRASHED
        (tmp_path / "go on").touch()
        again = await request_run(server.store, "wait/x", {"until": str(tmp_path / "go on")})
        assert (await server.until_final(again)).state is RunState.COMPLETED
        await server.until(lambda: len(children_of(first) - {guardian}) == 1, "the dead to be buried")
        os.kill(first, signal.SIGTERM)
        assert await server.ended() == 0


async def test_when_it_is_killed_its_runs_die_with_it(tmp_path: Path) -> None:
    async with a_container(tmp_path) as (server, first):
        run = await a_run(server, tmp_path / "never")
        os.kill(first, signal.SIGKILL)
        assert await server.ended() != 0
    async with a_container(tmp_path) as (server, first):
        ended = await server.until_final(run)
        assert (ended.state, ended.failure and ended.failure.kind) == (RunState.CRASHED, "server ended")
        os.kill(first, signal.SIGTERM)
        assert await server.ended() == 0
