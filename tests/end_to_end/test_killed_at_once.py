"""A server and what starts its runs are killed at the same moment, so that nobody is left to end what a run started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from flowsource.runner.processes.descent import children_of
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from tests.fire.checking import untrue
from tests.support.control_groups import control_group
from tests.support.live import Serving, serving
from tests.support.processes import alive, written_pids
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SCRIPT = """
    import os, time
    from flowsource import flow

    @flow
    def detach(note: str):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execve("/bin/sh", ["sh", "-c", f"echo $$ >> {note}; exec sleep 600"], {"PATH": os.environ["PATH"]})
            os._exit(0)
        os.wait()
        time.sleep(600)

    if __name__ == "__main__":
        detach.serve(name="daemon")
"""


@pytest.fixture
def note(tmp_path: Path) -> Iterator[Path]:
    """Where the daemon writes its pid; one that a failing test leaves is killed after it."""
    yield tmp_path / "note"
    for pid in alive(written_pids(tmp_path / "note")):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script to serve; where there can be no control group there is nothing to test."""
    with control_group():
        pass
    path = tmp_path / "flows.py"
    path.write_text(dedent(SCRIPT))
    return path


async def kill_all_at_once(server: Serving) -> None:
    guardians = children_of(server.process.pid)
    # Stopped first: none of them is to see that another has gone.
    for pid in guardians:
        os.kill(pid, signal.SIGSTOP)
    server.process.kill()
    for pid in guardians:
        os.kill(pid, signal.SIGKILL)
    await server.ended()
    await until(lambda: alive(list(guardians)) == [])


async def is_well(home: Path, run: Run) -> None:
    async with open_store(f"sqlite:///{home / 'flowsource.db'}") as store:
        assert await untrue(store, home, acknowledged=[run.id]) == []


async def test_what_its_runs_left_is_ended_when_the_next_server_starts(
    script: Path, note: Path, tmp_path: Path
) -> None:
    async with serving(script, tmp_path / "home") as killed:
        run = await request_run(killed.store, "detach/daemon", {"note": str(note)})
        await killed.until(lambda: len(written_pids(note)) == 1, "the daemon to be there")
        await kill_all_at_once(killed)
    assert alive(written_pids(note)) != []
    async with serving(script, tmp_path / "home") as following:
        assert alive(written_pids(note)) == []
        assert (await following.store.run(str(run.id))).state is RunState.CRASHED
        assert await following.stop() == 0
    assert list((tmp_path / "home").glob("*.runners/*")) == []
    await is_well(tmp_path / "home", run)


async def test_what_its_runs_left_is_ended_by_whoever_looks(script: Path, note: Path, tmp_path: Path) -> None:
    async with serving(script, tmp_path / "home") as killed:
        run = await request_run(killed.store, "detach/daemon", {"note": str(note)})
        await killed.until(lambda: len(written_pids(note)) == 1, "the daemon to be there")
        await kill_all_at_once(killed)
    assert alive(written_pids(note)) != []
    looked = await anyio.run_process(
        [sys.executable, "-m", "flowsource", "runs", "show", run.name],
        env={**os.environ, "FLOWSOURCE_HOME": str(tmp_path / "home")},
    )
    assert "crashed" in looked.stdout.decode()
    assert alive(written_pids(note)) == []
    await is_well(tmp_path / "home", run)


async def test_a_server_that_ends_leaves_no_group(script: Path, tmp_path: Path) -> None:
    async with serving(script, tmp_path / "home") as server:
        [sign] = [file for file in (tmp_path / "home").glob("*.runners/*") if not file.suffix]
        group = Path(sign.read_text())
        assert group.is_dir()
        assert await server.stop() == 0
    assert not group.exists()
