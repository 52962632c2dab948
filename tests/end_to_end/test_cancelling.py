"""Cancelling: whatever a run is doing, it ends, and how that came about is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from flowsource.promotions import Author
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from tests.support.live import Serving, processes_below, serving

pytestmark = pytest.mark.anyio

ADA = Author(by="ada", reason="it is late")
SCRIPT = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    from flowsource import flow

    @flow
    def nap(note: str, seconds: float = 600):
        Path(note).write_text(str(os.getpid()))
        time.sleep(seconds)

    @flow
    def deaf(note: str):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(note).write_text(str(child.pid))
        time.sleep(600)

    @flow
    def prompt(note: str):
        asked = []
        signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
        Path(note).write_text("")
        while not asked:
            time.sleep(0.001)
        return "done all the same"

    @flow
    def clumsy(note: str):
        def fail(*_):
            raise RuntimeError("what it wrote to was gone")
        signal.signal(signal.SIGTERM, fail)
        Path(note).write_text("")
        time.sleep(600)

    if __name__ == "__main__":
        from flowsource import serve

        serve(
            nap.to_deployment("nap"),
            deaf.to_deployment("deaf", grace_seconds=0.2),
            prompt.to_deployment("prompt"),
            clumsy.to_deployment("clumsy"),
            limit=16,
        )
"""


@pytest.fixture(scope="module", params=["fork-server", "spawn"])
async def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    place = tmp_path_factory.mktemp("cancelling")
    (place / "flows.py").write_text(dedent(SCRIPT))
    async with serving(
        place / "flows.py", place / "home", environ={"FLOWSOURCE_START_METHOD": request.param}
    ) as server:
        yield server
        assert await server.stop() == 0
    assert processes_below(place / "home") == []


async def begun(server: Serving, name: str, note: Path) -> Run:
    """A run of that deployment that does what it does until it is ended."""
    run = await request_run(server.store, name, {"note": str(note)})
    await server.until(note.exists, f"{run.name} to begin")
    return run


async def cancel(server: Serving, run: Run) -> Run:
    await server.store.ask_cancel(run.id, ADA, now=datetime.now(UTC))
    return await server.until_final(run)


async def test_a_run_that_goes_on_ends_and_tells_by_whom_and_how(server: Serving, tmp_path: Path) -> None:
    ended = await cancel(server, await begun(server, "nap", tmp_path / "note"))
    assert ended.state is RunState.CANCELLED
    assert ended.failure is not None
    assert ended.failure.message == "cancelled by ada: it is late"
    wish = ended.cancellation
    assert wish is not None
    assert wish.told_at is not None
    assert wish.signalled_at is not None
    assert wish.killed_at is None
    assert ended.ended_at is not None
    assert wish.asked_at <= wish.told_at <= wish.signalled_at <= ended.ended_at
    # Woken all the way: far less than the five seconds after which a server looks by itself.
    assert ended.ended_at - wish.asked_at < timedelta(seconds=3)


async def test_one_that_does_not_listen_is_killed_with_all_its_processes(server: Serving, tmp_path: Path) -> None:
    run = await begun(server, "deaf", tmp_path / "note")
    await server.until(lambda: (tmp_path / "note").read_text() != "", "its child to be there")
    ended = await cancel(server, run)
    assert ended.state is RunState.CANCELLED
    assert ended.cancellation is not None
    assert ended.cancellation.killed_at is not None
    assert int((tmp_path / "note").read_text()) not in processes_below(server.script.home)


async def test_one_that_completes_all_the_same_has_completed(server: Serving, tmp_path: Path) -> None:
    ended = await cancel(server, await begun(server, "prompt", tmp_path / "note"))
    assert (ended.state, ended.result) == (RunState.COMPLETED, "done all the same")
    assert ended.cancellation is not None


async def test_what_fails_on_the_way_is_cancelled(server: Serving, tmp_path: Path) -> None:
    ended = await cancel(server, await begun(server, "clumsy", tmp_path / "note"))
    assert ended.state is RunState.CANCELLED


async def test_one_that_waits_is_cancelled_at_once(server: Serving, tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    run = await request_run(server.store, "nap", {"note": str(tmp_path / "note")}, at=later)
    asked = await server.store.ask_cancel(run.id, ADA, now=datetime.now(UTC))
    assert asked.state is RunState.CANCELLED
    assert not (tmp_path / "note").exists()


async def test_asking_again_changes_nothing(server: Serving, tmp_path: Path) -> None:
    run = await begun(server, "deaf", tmp_path / "note")
    await server.store.ask_cancel(run.id, ADA, now=datetime.now(UTC))
    await server.store.ask_cancel(run.id, Author(by="bob"), now=datetime.now(UTC))
    ended = await server.until_final(run)
    assert (await cancel(server, run)) == ended
    assert ended.cancellation is not None
    assert ended.cancellation.by == "ada"


@pytest.mark.parametrize("when", ["asked for", RunState.CLAIMED, RunState.RUNNING])
async def test_at_whatever_moment_it_is_asked_for_the_run_ends(
    server: Serving, tmp_path: Path, when: RunState | str
) -> None:
    runs = [await request_run(server.store, "nap", {"note": str(tmp_path / str(n)), "seconds": 0}) for n in range(6)]

    async def cancel_in_time(run: Run) -> None:
        while isinstance(when, RunState):
            state = (await server.store.run(str(run.id))).state
            if state is when or state.is_final:
                break
        await cancel(server, run)

    async with anyio.create_task_group() as tasks:
        for run in runs:
            tasks.start_soon(cancel_in_time, run)
    ended = [await server.store.run(str(run.id)) for run in runs]
    assert {run.state for run in ended} <= {RunState.CANCELLED, RunState.COMPLETED}
