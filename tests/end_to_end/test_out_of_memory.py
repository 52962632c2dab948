"""Memory runs out: that of the control group of a server, or what a run may have."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from tests.support.control_groups import small_group
from tests.support.live import processes_below, serving

pytestmark = pytest.mark.anyio

MIB = 1 << 20
SCRIPT = """
    import os, resource
    from flowsource import flow

    def take():
        taken = []
        while True:
            taken.append(b"x" * (1 << 20))

    @flow
    def greedy(most: int | None = None):
        if most is not None:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        take()

    @flow
    def modest():
        return "fine"

    if __name__ == "__main__":
        from flowsource import serve

        if "GROUP" in os.environ:
            with open(os.environ["GROUP"] + "/cgroup.procs", "w") as members:
                members.write("0")
        serve(greedy.to_deployment("x"), modest.to_deployment("x"))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    script = tmp_path / "flows.py"
    script.write_text(dedent(SCRIPT))
    return script


async def test_a_run_that_the_system_kills_for_want_of_memory_has_crashed_with_that_reason(
    script: Path, tmp_path: Path
) -> None:
    with small_group(limit=256 * MIB) as group:
        async with serving(script, tmp_path / "home", environ={"GROUP": str(group)}) as server:
            run = await server.until_final(await request_run(server.store, "greedy/x", {}))
            assert (run.state, run.failure and run.failure.kind) == (RunState.CRASHED, "out of memory")
            assert run.failure is not None
            assert "killed by the system because memory ran out" in run.failure.message
            run = await server.until_final(await request_run(server.store, "modest/x", {}))
            assert (run.state, run.result) == (RunState.COMPLETED, "fine")
            assert await server.stop() == 0
        assert processes_below(tmp_path / "home") == []


async def test_a_run_that_may_have_no_more_memory_fails_with_memory_error(script: Path, tmp_path: Path) -> None:
    async with serving(script, tmp_path / "home") as server:
        run = await server.until_final(await request_run(server.store, "greedy/x", {"most": 1024 * MIB}))
        assert (run.state, run.failure and run.failure.kind) == (RunState.FAILED, "MemoryError")
        assert await server.stop() == 0
