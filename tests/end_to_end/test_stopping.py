"""Stopping a server: whatever its runs are doing just then, each is told as what became of it."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.promotions import Author
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from tests.support.live import Serving, processes_below, serving
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SCRIPT = """
    import os, signal, time
    from pathlib import Path
    from flowsource import flow

    def wait_for(path):
        while not os.path.exists(path):
            time.sleep(0.005)

    @flow
    def wait(until: str):
        wait_for(until)
        return "woken"

    @flow
    def tidy(note: str):
        try:
            Path(note).touch()
            time.sleep(600)
        finally:
            print("put in order", flush=True)

    @flow
    def deaf(note: str):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(note).touch()
        time.sleep(600)

    @flow(retries=1, retry_delay_seconds=600)
    def patient():
        raise ValueError("not now")

    def note(flow, flow_run, state):
        Path(flow_run.parameters["begun"]).touch()
        wait_for(flow_run.parameters["until"])
        print("hook went to its end", flush=True)

    @flow(on_completion=[note])
    def hooked(begun: str, until: str): ...

    if __name__ == "__main__":
        from flowsource import serve

        serve(
            wait.to_deployment("wait"),
            tidy.to_deployment("tidy", grace_seconds=0.1),
            deaf.to_deployment("deaf", grace_seconds=0.1),
            patient.to_deployment("patient"),
            hooked.to_deployment("hooked"),
            limit=3,
        )
"""


@asynccontextmanager
async def a_server(tmp_path: Path) -> AsyncIterator[Serving]:
    (tmp_path / "flows.py").write_text(dedent(SCRIPT))
    async with serving(tmp_path / "flows.py", tmp_path / "home") as server:
        yield server
    await until(lambda: processes_below(tmp_path / "home") == [])


async def until_state(server: Serving, run: Run, state: RunState) -> None:
    async def is_there() -> bool:
        return (await server.store.run(str(run.id))).state is state

    await server.until(is_there, f"{run.name} to be {state}")


async def state_of(server: Serving, run: Run) -> RunState:
    return (await server.store.run(str(run.id))).state


async def texts_of(server: Serving, run: Run) -> list[str]:
    return [line.text for line in await server.store.lines(run.id)]


async def test_each_run_has_the_grace_of_its_own_deployment_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    go_on, notes = tmp_path / "go on", [tmp_path / "tidy", tmp_path / "deaf"]
    async with a_server(tmp_path) as server:
        retrying = await request_run(server.store, "patient", {})
        await until_state(server, retrying, RunState.RETRYING)
        waiting = await request_run(server.store, "wait", {"until": str(go_on)})
        tidy = await request_run(server.store, "tidy", {"note": str(notes[0])})
        deaf = await request_run(server.store, "deaf", {"note": str(notes[1])})
        await server.until(lambda: all(note.exists() for note in notes), "both to begin")
        await until_state(server, waiting, RunState.RUNNING)
        # There are three places.
        queued = await request_run(server.store, "wait", {"until": str(go_on)})
        later = await request_run(
            server.store, "wait", {"until": str(go_on)}, at=datetime.now(UTC) + timedelta(hours=1)
        )
        server.process.send_signal(signal.SIGTERM)
        await until_state(server, tidy, RunState.CANCELLED)
        await until_state(server, deaf, RunState.CANCELLED)
        assert await state_of(server, waiting) is RunState.RUNNING
        go_on.touch()
        await until_state(server, waiting, RunState.COMPLETED)
        assert await server.stop() == 0
        assert await state_of(server, queued) is RunState.SCHEDULED
        assert await state_of(server, later) is RunState.SCHEDULED
        assert await state_of(server, retrying) is RunState.RETRYING
        assert await texts_of(server, tidy) == ["put in order"]
        ended = await server.store.run(str(deaf.id))
        assert ended.failure is not None
        assert ended.failure.message == "its server was stopped before it ended"


async def test_hooks_are_waited_for_too(tmp_path: Path) -> None:
    begun, until = tmp_path / "begun", tmp_path / "until"
    async with a_server(tmp_path) as server:
        run = await request_run(server.store, "hooked", {"begun": str(begun), "until": str(until)})
        await server.until(begun.exists, "the hook to begin")
        assert await state_of(server, run) is RunState.COMPLETED
        server.process.send_signal(signal.SIGTERM)
        await server.until_said("waiting up to 30 s for 1 run")
        until.touch()
        await server.until_said("Stopped.")
        assert "hook went to its end" in await texts_of(server, run)


async def test_a_second_signal_leaves_the_hooks(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    async with a_server(tmp_path) as server:
        run = await request_run(server.store, "hooked", {"begun": str(begun), "until": str(tmp_path / "never")})
        await server.until(begun.exists, "the hook to begin")
        server.process.send_signal(signal.SIGTERM)
        await server.until_said("waiting up to 30 s for 1 run")
        assert await server.stop() == 0
        assert await state_of(server, run) is RunState.COMPLETED


async def test_a_run_can_be_cancelled_while_the_server_waits_for_it(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server:
        run = await request_run(server.store, "wait", {"until": str(tmp_path / "never")})
        await until_state(server, run, RunState.RUNNING)
        server.process.send_signal(signal.SIGTERM)
        await server.until_said("waiting up to 30 s for 1 run")
        await server.store.ask_cancel(run.id, Author(by="ada"), now=datetime.now(UTC))
        await server.until_said("Stopped.")
        ended = await server.store.run(str(run.id))
        assert (ended.state, ended.failure and ended.failure.message) == (RunState.CANCELLED, "cancelled by ada")
