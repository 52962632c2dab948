"""A server that is not heard of for longer than its lease, and comes back: what is still its own goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from flowsource.errors import StoreUnavailable
from flowsource.runner.presence import LEASE
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store.lock import WriteLock
from flowsource.store.values import RERUN_AFTER
from tests.support.live import Serving, processes_below, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    import os, time
    from datetime import timedelta
    from flowsource import current_run, flow

    @flow
    def wait(place: str):
        attempt = current_run().attempt
        with open(f"{place}/attempt-{attempt}", "w") as note:
            note.write(str(os.getpid()))
        while not os.path.exists(f"{place}/go on"):
            time.sleep(0.005)
        return attempt

    if __name__ == "__main__":
        from flowsource import serve
        from flowsource.runner import presence, service

        presence.RENEW_EVERY = timedelta(seconds=0.1)
        service.FENCE_AFTER = timedelta(seconds=1)
        serve(wait.to_deployment("once"), wait.to_deployment("again", on_lost="rerun"))
"""


@asynccontextmanager
async def a_server(tmp_path: Path) -> AsyncIterator[Serving]:
    (tmp_path / "flows.py").write_text(dedent(SCRIPT))
    async with serving(tmp_path / "flows.py", tmp_path / "home") as server:
        yield server
        assert await server.stop() == 0
    assert processes_below(tmp_path / "home") == []


async def begun(server: Serving, name: str, place: Path) -> tuple[Run, int]:
    """A run of that deployment that waits, and the id of its process."""
    run = await request_run(server.store, name, {"place": str(place)})
    note = place / "attempt-1"
    await server.until(lambda: note.exists() and note.read_text() != "", f"{run.name} to begin")
    await until_state(server, run, RunState.RUNNING)
    return run, int(note.read_text())


async def until_state(server: Serving, run: Run, state: RunState) -> None:
    async def is_there() -> bool:
        return (await server.store.run(str(run.id))).state is state

    await server.until(is_there, f"{run.name} to be {state}")


@contextmanager
def stopped(server: Serving) -> Iterator[None]:
    """The server stands still during the block, and holds up nobody who writes."""
    lock = WriteLock(server.script.home / "flowsource.db.lock", patience=timedelta(milliseconds=50))
    while True:
        server.process.send_signal(signal.SIGSTOP)
        with suppress(StoreUnavailable), lock.held():
            break
        server.process.send_signal(signal.SIGCONT)
    lock.close()
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_run_that_was_lost_goes_on_when_its_server_is_back(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server:
        run, pid = await begun(server, "wait/once", tmp_path)
        with stopped(server):
            [lost] = await server.store.reap(now=datetime.now(UTC) + 2 * LEASE)
            assert (lost.id, lost.state) == (run.id, RunState.LOST)
        await until_state(server, run, RunState.RUNNING)
        assert is_there(pid)
        (tmp_path / "go on").touch()
        ended = await server.until_final(run)
        assert (ended.state, ended.result, ended.attempt) == (RunState.COMPLETED, 1, 1)


async def test_a_run_that_was_given_to_others_meanwhile_is_ended_at_once(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server:
        _, pid = await begun(server, "wait/again", tmp_path)
        with stopped(server):
            later = datetime.now(UTC) + 2 * LEASE
            await server.store.reap(now=later)
            [again] = await server.store.reap(now=later + 2 * RERUN_AFTER)
            assert again.state is RunState.RETRYING
        # Due by the clock of whoever gave it up, which was ahead.
        await server.until(lambda: not is_there(pid), "the first attempt to be ended")


async def test_a_server_that_is_cut_off_ends_what_may_be_run_again_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "once").mkdir()
    async with a_server(tmp_path) as server:
        again, pid_again = await begun(server, "wait/again", tmp_path)
        once, pid_once = await begun(server, "wait/once", tmp_path / "once")
        lock = WriteLock(tmp_path / "home" / "flowsource.db.lock", patience=timedelta(seconds=30))
        with closing(lock), lock.held():
            while is_there(pid_again):  # noqa: ASYNC110 - other processes set no event for us
                await anyio.sleep(0.02)
            assert is_there(pid_once)
        (tmp_path / "go on").touch()
        (tmp_path / "once" / "go on").touch()
        assert (await server.until_final(once)).attempt == 1
        ended = await server.until_final(again)
        assert (ended.state, ended.result) == (RunState.COMPLETED, 2)
        attempts = await server.store.attempts(again.id)
        assert [attempt.failure and attempt.failure.kind for attempt in attempts] == ["fenced", None]
