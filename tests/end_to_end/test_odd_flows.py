"""Flows that do what no flow should: each run ends in the right state, with a reason that a person understands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from textwrap import dedent

import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from tests.support.live import Serving, processes_below, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    import ctypes, os, signal, subprocess, sys, time
    from flowsource import flow

    @flow
    def odd(how: str):
        print("about to", how.replace("_", " "), flush=True)
        return WAYS[how]()

    class Speechless(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    def raise_what_cannot_be_said():
        raise Speechless

    def fork_twice():
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        os.wait()
        return "gone on"

    def leave_children():
        for _ in range(200):
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
        return "left 200"

    def close_everything():
        os.closerange(0, 1024)
        return "closed"

    def close_what_it_prints_to():
        os.close(1)
        os.close(2)
        print("into the void")
        return "closed"

    def write_from_c():
        libc = ctypes.CDLL(None)
        libc.write(1, b"from C\\n", 7)
        return "written"

    def change_directory():
        os.chdir("/")
        return os.getcwd()

    def fork_and_return_twice():
        os.fork()
        return "twice"

    def end_like_a_program():
        sys.exit("no more")

    def recurse():
        return recurse()

    class Thing:
        def __repr__(self):
            raise RuntimeError("no words")

    def kill_by_alarm():
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(600)

    WAYS = {
        "leave at once": lambda: os._exit(7),
        "leave": lambda: sys.exit(0),
        "leave with a code": lambda: sys.exit(3),
        "end like a program": end_like_a_program,
        "crash": lambda: ctypes.string_at(0),
        "abort": os.abort,
        "stop by an alarm": kill_by_alarm,
        "raise what cannot be said": raise_what_cannot_be_said,
        "recurse": recurse,
        "fork twice": fork_twice,
        "leave children": leave_children,
        "close everything": close_everything,
        "close what it prints to": close_what_it_prints_to,
        "write from C": write_from_c,
        "return an object": Thing,
        "return a set": lambda: {1, 2},
        "return what is no number": lambda: float("nan"),
        "change directory": change_directory,
        "return twice": fork_and_return_twice,
    }

    if __name__ == "__main__":
        odd.serve(name="ways", limit=8)
"""


@dataclass(frozen=True)
class End:
    """What is to become of a run, and what its failure, or its result, says."""

    state: RunState
    said: str = ""
    result: object = None


ENDS = {
    "leave at once": End(RunState.CRASHED, "left with exit code 7 before it said how it ended"),
    "leave": End(RunState.COMPLETED),
    "leave with a code": End(RunState.FAILED, "exit code 3"),
    "end like a program": End(RunState.FAILED, "no more"),
    "crash": End(RunState.CRASHED, "was killed by SIGSEGV"),
    "abort": End(RunState.CRASHED, "was killed by SIGABRT"),
    "stop by an alarm": End(RunState.CRASHED, "was killed by SIGALRM"),
    "raise what cannot be said": End(RunState.FAILED, "its text raised RuntimeError"),
    "recurse": End(RunState.FAILED, "recursion"),
    "fork twice": End(RunState.COMPLETED, result="gone on"),
    "leave children": End(RunState.COMPLETED, result="left 200"),
    "close everything": End(RunState.CRASHED, "before it said how it ended"),
    "close what it prints to": End(RunState.FAILED, "Bad file descriptor"),
    "write from C": End(RunState.COMPLETED, result="written"),
    "return an object": End(RunState.COMPLETED),
    "return a set": End(RunState.COMPLETED),
    "return what is no number": End(RunState.COMPLETED),
    "change directory": End(RunState.COMPLETED, result="/"),
    "return twice": End(RunState.COMPLETED, result="twice"),
}


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    place = tmp_path_factory.mktemp("odd")
    (place / "flows.py").write_text(dedent(SCRIPT))
    async with serving(place / "flows.py", place / "home") as server:
        yield server
        # Whatever they did, the server is as it was.
        assert await server.stop() == 0
    assert processes_below(place / "home") == []


@pytest.mark.parametrize("how", ENDS)
async def test_a_flow_that_does_what_no_flow_should_ends_as_what_it_is(server: Serving, how: str) -> None:
    wanted = ENDS[how]
    run = await server.until_final(await request_run(server.store, "odd/ways", {"how": how}))
    assert (run.state, run.result) == (wanted.state, wanted.result)
    assert (run.failure is None) == (run.state is RunState.COMPLETED)
    if run.failure is not None:
        assert wanted.said in f"{run.failure.message} {run.failure.kind}"
    lines = [line.text for line in await server.store.lines(run.id)]
    assert lines[0] == f"about to {how}"
    assert ("from C" in lines) == (how == "write from C")
    if how in ("fork twice", "leave children"):
        assert "that it left behind w" in lines[-1]
