"""What one run, one signal or one broken part may not do to all the others."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from tests.support.live import Serving, processes_below, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    import logging, os, signal, time
    from flowsource import flow, serve

    @flow
    def misbehave(how: str):
        if how == "signal without a name":
            os.kill(os.getpid(), 40)
        elif how == "level out of range":
            logging.log(2**70, "very important")
        elif how == "broken channel":
            os.write(3, b"\\xff" * 8)
        elif how == "flood":
            with open("flood.pid", "w") as note:
                note.write(str(os.getpid()))
            while True:
                os.write(1, b"hello\\n" * 20_000)

    @flow
    def nap(until: str):
        while not os.path.exists(until):
            time.sleep(0.01)
        return "woken"

    if __name__ == "__main__":
        serve(misbehave.to_deployment("bad"), nap.to_deployment("good"), limit=4)
"""


@asynccontextmanager
async def server_with_an_innocent_run(tmp_path: Path) -> AsyncIterator[tuple[Serving, Run]]:
    """A server with a run in progress that must come to its own end, whatever another one does."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "flows.py").write_text(dedent(SCRIPT))
    async with serving(tmp_path / "code" / "flows.py", tmp_path / "home") as server:
        marker = tmp_path / "awake"
        innocent = await request_run(server.store, "nap/good", {"until": str(marker)})
        await until_running(server, innocent)
        yield server, innocent
        marker.touch()
        ended = await server.until_final(innocent)
        assert (ended.state, ended.result) == (RunState.COMPLETED, "woken")


async def until_running(server: Serving, run: Run) -> None:
    async def is_running() -> bool:
        return (await server.store.run(str(run.id))).state is RunState.RUNNING

    await server.until(is_running, f"{run.name} to start")


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ("signal without a name", RunState.CRASHED),
        ("level out of range", RunState.COMPLETED),
        ("broken channel", RunState.CRASHED),
    ],
)
async def test_a_run_that_misbehaves_harms_no_other(tmp_path: Path, how: str, state: RunState) -> None:
    async with server_with_an_innocent_run(tmp_path) as (server, _):
        run = await server.until_final(await request_run(server.store, "misbehave/bad", {"how": how}))
        assert run.state is state


async def test_a_flood_slows_the_run_that_makes_it_and_nobody_else(tmp_path: Path) -> None:
    async with server_with_an_innocent_run(tmp_path) as (server, _):
        flood = await request_run(server.store, "misbehave/bad", {"how": "flood"})
        await until_running(server, flood)
        note = tmp_path / "code" / "flood.pid"
        await server.until(lambda: note.exists() and note.read_text() != "", "the flood to begin")
        other = await request_run(server.store, "misbehave/bad", {"how": "nothing"})
        assert (await server.until_final(other)).state is RunState.COMPLETED
        assert max(map(resident_bytes, processes_below(tmp_path / "home"))) < 300 * 2**20
        os.kill(int(note.read_text()), signal.SIGKILL)
        assert (await server.until_final(flood)).state is RunState.CRASHED


async def test_a_signal_while_the_code_is_still_looked_at_ends_the_start(tmp_path: Path) -> None:
    script = tmp_path / "flows.py"
    script.write_text(
        dedent(
            """
            import time
            from flowsource import flow
            if __name__ != "__main__":
                print("being imported", flush=True)
                open("imported", "w").close()
                time.sleep(600)

            @flow
            def late(): ...

            if __name__ == "__main__":
                late.serve()
            """
        )
    )
    async with serving(script, tmp_path / "home", until_started=False) as server:
        await server.until((tmp_path / "imported").exists, "the import to begin")
        await server.stop(signal.SIGTERM)
        assert await server.store.deployments() == []
    assert processes_below(tmp_path / "home") == []


async def test_a_terminal_that_takes_nothing_stops_nothing(tmp_path: Path) -> None:
    script = tmp_path / "flows.py"
    text = """
        import sys
        from flowsource import flow

        @flow
        def speak():
            print("into the void")

        if __name__ == "__main__":
            sys.stderr = open("/dev/full", "w")
            speak.serve()
        """
    script.write_text(dedent(text))
    async with serving(script, tmp_path / "home", until_started=False) as server:

        async def is_registered() -> bool:
            return bool(await server.store.deployments())

        await server.until(is_registered, "it to register")
        run = await server.until_final(await request_run(server.store, "speak/speak", {}))
        assert run.state is RunState.COMPLETED
        assert await server.stop() == 0


async def test_a_run_that_is_due_later_starts_when_it_is_due(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        dedent(
            """
            from datetime import timedelta
            from flowsource import flow

            @flow
            def f(): ...

            if __name__ == "__main__":
                from flowsource.runner import claims

                # It would not look by itself before this test is over.
                claims.LOOK_EVERY = timedelta(hours=1)
                f.serve()
            """
        )
    )
    async with serving(tmp_path / "flows.py", tmp_path / "home") as server:
        due = datetime.now(UTC) + timedelta(seconds=1)
        run = await server.until_final(await request_run(server.store, "f/f", {}, at=due))
        assert run.claimed_at is not None
        assert run.claimed_at >= due


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
