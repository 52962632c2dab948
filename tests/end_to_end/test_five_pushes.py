"""Push to Git; the next run uses it: five times, with a run in flight that must not notice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository, steps
from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from tests.support.git_server import GitServer, git_server
from tests.support.live import Serving, serving
from tests.support.parts import requires
from tests.support.repositories import FIXTURES

pytestmark = pytest.mark.anyio

INTERVAL = 0.4
SCRIPT = """
from flowsource import GitRepository, flow, serve

if __name__ == "__main__":
    source = lambda: GitRepository({url!r}, branch="main", pull_interval={interval})
    serve(
        flow.from_source(source(), "flows.py:hello").to_deployment("served"),
        flow.from_source(source(), "flows.py:long_run").to_deployment("served"),
        limit=4,
    )
"""


def polls(server: GitServer) -> int:
    """How often the refs of the remote were asked for on their own."""
    return sum(1 for exchange in server.log if exchange.command == "ls-refs")


def fetches(server: GitServer) -> int:
    """How often objects were asked for."""
    return sum(1 for exchange in server.log if exchange.command == "fetch")


async def test_each_next_run_is_on_the_new_commit_and_a_long_run_keeps_its_own(tmp_path: Path) -> None:
    requires("git")
    first, *pushes = steps(FIXTURES / "five-pushes")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git", [first])
    begin = repository.tip()
    marker = tmp_path / "enough"
    with git_server(tmp_path / "served") as remote:
        script = tmp_path / "serve.py"
        script.write_text(SCRIPT.format(url=remote.url("repo.git"), interval=INTERVAL))
        started_at = time.monotonic()
        async with serving(script, tmp_path / "home") as server:
            assert fetches(remote) == 1
            long_run = await request_run(server.store, "long-run/served", {"until": str(marker)})
            await _until_running(server, str(long_run.id))
            for push in pushes:
                commit = repository.commit(push)
                await server.until_active("hello/served", commit)
                run = await server.until_final(await request_run(server.store, "hello/served", {}))
                assert (run.state, run.revision.id if run.revision else None) == (RunState.COMPLETED, commit)
                word = push.name.rpartition("-")[2]
                assert str(run.result).startswith(f"{word}: ")
                assert [line.text for line in await server.store.lines(run.id)] == [run.result]
            marker.touch()
            long_run = await server.until_final(long_run)
            elapsed = time.monotonic() - started_at
            assert await server.stop() == 0

    assert long_run.revision is not None
    assert long_run.revision.id == begin
    assert long_run.state is RunState.COMPLETED, long_run.failure
    # One thing seen of each kind: no file, no list of files and no working directory changed under the run.
    assert {what: len(seen) for what, seen in long_run.result.items()} == dict.fromkeys(long_run.result, 1)
    assert long_run.result["constant"] == ["one"]
    # Two deployments share the fetches, and the polls: at most one an interval, shortened by its jitter.
    assert fetches(remote) == 1 + len(pushes)
    assert len(pushes) <= polls(remote) <= elapsed / (INTERVAL * 0.8) + 2
    assert "✖" not in server.said
    assert "Traceback" not in server.said
    assert "warning" not in server.said.lower()


async def _until_running(server: Serving, run: str) -> None:
    async def is_running() -> bool:
        return (await server.store.run(run)).state is RunState.RUNNING

    await server.until(is_running, "the long run to start")
