"""Attempts: time limits from outside, retries in new processes, and hooks that have no say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.promotions import Author
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from tests.support.live import Serving, processes_below, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    import ctypes, os, signal, subprocess, sys, time
    from pathlib import Path
    from flowsource import current_run, flow

    def nap_in_c():
        ctypes.CDLL(None).sleep(600)

    def spin():
        while True:
            pass

    def be_deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(600)

    def tidy_up():
        try:
            time.sleep(600)
        finally:
            print("put in order", flush=True)

    WAYS = {"nap": lambda: time.sleep(600), "nap in C": nap_in_c, "spin": spin, "be deaf": be_deaf, "tidy up": tidy_up}

    @flow(timeout_seconds=0.3)
    def slow(how: str):
        WAYS[how]()

    @flow(timeout_seconds=0.3, retries=1)
    def slow_at_first():
        if current_run().attempt == 1:
            time.sleep(600)
        return "in time"

    @flow(retries=2)
    def shaky(ledger: str):
        run = current_run()
        with open(ledger, "a") as file:
            print(run.attempt, os.getpid(), run.revision.id, file=file)
        print("attempt", run.attempt)
        if run.attempt < 3:
            raise ValueError("not yet")
        return run.attempt

    @flow(retries=1, retry_delay_seconds=600)
    def patient():
        raise ValueError("not now")

    @flow(retries=1)
    def hopeless():
        raise ValueError("never")

    @flow(flow_run_name="for-{who}")
    def named(who: str):
        return inner(who)

    @flow
    def inner(who: str):
        if who == "nobody":
            raise ValueError("nobody is there")
        return "hello " + who

    def tell(flow, flow_run, state):
        print("hook of", flow_run.name, state.type, os.getpid(), flush=True)

    def fail(flow, flow_run, state):
        raise RuntimeError("a hook that fails")

    @flow(on_running=[tell], on_completion=[fail, tell], on_failure=[tell], on_cancellation=[tell], on_crashed=[tell])
    def hooked(how: str):
        print("flow in", os.getpid(), flush=True)
        if how == "fail":
            raise ValueError("no good")
        if how == "crash":
            os._exit(3)
        if how == "nap":
            time.sleep(600)

    if __name__ == "__main__":
        from flowsource import serve

        serve(
            slow.to_deployment("slow", grace_seconds=0.2),
            slow_at_first.to_deployment("slow-at-first"),
            shaky.to_deployment("shaky"),
            patient.to_deployment("patient", limit=1),
            hopeless.to_deployment("hopeless"),
            named.to_deployment("named"),
            hooked.to_deployment("hooked"),
            limit=8,
        )
"""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    place = tmp_path_factory.mktemp("attempts")
    (place / "flows.py").write_text(dedent(SCRIPT))
    async with serving(place / "flows.py", place / "home") as server:
        yield server
        assert await server.stop() == 0
    assert processes_below(place / "home") == []


async def texts_of(server: Serving, run: Run) -> list[tuple[int, str]]:
    return [(line.attempt, line.text) for line in await server.store.lines(run.id)]


async def until_state(server: Serving, run: Run, state: RunState) -> Run:
    async def is_there() -> bool:
        return (await server.store.run(str(run.id))).state is state

    await server.until(is_there, f"{run.name} to be {state}")
    return await server.store.run(str(run.id))


async def ended(server: Serving, name: str, **parameters: str) -> Run:
    return await server.until_final(await request_run(server.store, name, parameters))


@pytest.mark.parametrize("how", ["nap", "nap in C", "spin", "be deaf", "tidy up"])
async def test_a_time_limit_holds_whatever_the_flow_does(server: Serving, how: str) -> None:
    run = await ended(server, "slow", how=how)
    assert run.state is RunState.TIMED_OUT
    assert run.failure is not None
    assert run.failure.message == "it was ended after 0.3 s, the time limit of its flow"
    assert ((1, "put in order") in await texts_of(server, run)) == (how == "tidy up")


async def test_what_timed_out_is_tried_again_where_the_flow_wants_that(server: Serving) -> None:
    run = await ended(server, "slow-at-first")
    assert (run.state, run.result, run.attempt) == (RunState.COMPLETED, "in time", 2)
    attempts = await server.store.attempts(run.id)
    assert [attempt.state for attempt in attempts] == [RunState.TIMED_OUT, RunState.COMPLETED]


async def test_each_attempt_is_a_process_of_its_own_at_the_same_revision(server: Serving, tmp_path: Path) -> None:
    run = await ended(server, "shaky", ledger=str(tmp_path / "ledger"))
    assert (run.state, run.result, run.attempt) == (RunState.COMPLETED, 3, 3)
    entries = [line.split() for line in (tmp_path / "ledger").read_text().splitlines()]
    assert [number for number, _, _ in entries] == ["1", "2", "3"]
    assert len({pid for _, pid, _ in entries}) == 3
    assert run.revision is not None
    assert {revision for _, _, revision in entries} == {run.revision.id}
    assert await texts_of(server, run) == [(1, "attempt 1"), (2, "attempt 2"), (3, "attempt 3")]
    attempts = await server.store.attempts(run.id)
    assert [attempt.state for attempt in attempts] == [RunState.FAILED, RunState.FAILED, RunState.COMPLETED]


async def test_a_run_that_fails_in_each_attempt_has_failed(server: Serving) -> None:
    run = await ended(server, "hopeless")
    assert (run.state, run.attempt) == (RunState.FAILED, 2)


async def test_between_attempts_a_run_holds_no_place_and_can_be_cancelled(server: Serving) -> None:
    waiting = [await request_run(server.store, "patient", {}) for _ in range(2)]
    # There is one place, and both get to wait for their second attempt.
    for run in waiting:
        run = await until_state(server, run, RunState.RETRYING)
        assert run.due_at > datetime.now(UTC)
        asked = await server.store.ask_cancel(run.id, Author(by="ada"), now=datetime.now(UTC))
        assert asked.state is RunState.CANCELLED


async def test_a_flow_names_its_run_and_tells_of_those_it_calls(server: Serving) -> None:
    run = await ended(server, "named", who="ada")
    assert (run.name, run.result) == ("for-ada", "hello ada")
    [child] = await server.store.runs(parent_id=run.id)
    assert (child.flow, child.state, child.is_nested) == ("inner", RunState.COMPLETED, True)
    run = await ended(server, "named", who="nobody")
    assert run.state is RunState.FAILED
    [child] = await server.store.runs(parent_id=run.id)
    assert child.state is RunState.FAILED
    assert child.failure is not None
    assert child.failure.message == "nobody is there"


@pytest.mark.parametrize(
    ("how", "state"),
    [("do nothing", RunState.COMPLETED), ("fail", RunState.FAILED), ("crash", RunState.CRASHED)],
)
async def test_hooks_are_called_in_a_process_of_their_own_once_the_state_is_recorded(
    server: Serving, how: str, state: RunState
) -> None:
    run = await ended(server, "hooked", how=how)
    assert run.state is state

    async def are_told() -> bool:
        told = [text for _, text in await texts_of(server, run) if text.startswith(f"hook of {run.name} ")]
        return {text.split()[3] for text in told} == {"running", state}

    await server.until(are_told, "both hooks to be called")
    texts = [text for _, text in await texts_of(server, run)]
    assert len({text.split()[-1] for text in texts if text.startswith(("flow in", "hook of"))}) == 3
    assert any("a hook that fails" in text for text in texts) == (how == "do nothing")
    assert (await server.store.run(str(run.id))).state is state


async def test_a_cancellation_has_hooks_too(server: Serving) -> None:
    run = await until_state(server, await request_run(server.store, "hooked", {"how": "nap"}), RunState.RUNNING)
    await server.store.ask_cancel(run.id, Author(by="ada"), now=datetime.now(UTC))
    await server.until_final(run)

    async def is_told() -> bool:
        return any("cancelled" in text for _, text in await texts_of(server, run))

    await server.until(is_told, "the hook to be called")
