"""Where a run works: on the newest code where that is wanted, in a read-only snapshot or in a copy of its own."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from tests.support.git_server import git_server
from tests.support.live import Serving, serving
from tests.support.parts import lacks, requires

pytestmark = pytest.mark.anyio

FLOW = """
import os
from pathlib import Path
from flowsource import current_run, flow, run_deployment, tags

@flow
def greet():
    return {number}

@flow
def write(name: str = "out.csv"):
    Path(name).write_text("1,2")
    Path("flows.py").write_text("")
    (Path("data") / "in.csv").write_text("3")
    return [os.getcwd(), sorted(os.listdir())]

@flow
def ask():
    with tags("asked for"):
        run = run_deployment("greet/greet", timeout=120, tags=["by hand"], idempotency_key="one")
        again = run_deployment("greet/greet", timeout=120, idempotency_key="one")
    assert again.id == run.id
    apart = run_deployment("greet/greet", timeout=0, as_subflow=False)
    return [str(run.parent_id), run.state, sorted(run.tags), apart.parent_id, str(current_run().id)]
"""
SCRIPT = """
from flowsource import GitRepository, flow, serve
if __name__ == "__main__":
    repository = GitRepository({url!r}, pull_interval=3600)
    def of(name):
        return flow.from_source(repository, "flows.py:" + name)
    serve(
        of("greet").to_deployment("greet", freshness="every_run"),
        of("write").to_deployment("write"),
        of("write").to_deployment("write-aside", workdir="private"),
        of("ask").to_deployment("ask"),
        limit=4,
    )
"""


def files(number: int) -> dict[str, str | bytes]:
    return {"flows.py": FLOW.format(number=number), "data/in.csv": "1\n"}


@dataclass
class Place:
    server: Serving
    repository: FixtureRepository


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    requires("git")
    top = tmp_path_factory.mktemp("workplaces")
    repository = FixtureRepository.create(top / "served" / "flows.git")
    repository.commit_files(files(0))
    with git_server(top / "served") as remote:
        (top / "serve.py").write_text(dedent(SCRIPT.format(url=remote.url("flows.git"))))
        async with serving(top / "serve.py", top / "home") as server:
            yield Place(server, repository)
            assert await server.stop() == 0


async def test_each_run_begins_with_the_newest_code_where_that_is_wanted(place: Place) -> None:
    for number in (1, 2):
        pushed = place.repository.commit_files(files(number))
        runs = [await request_run(place.server.store, "greet/greet", {}) for _ in range(3)]
        for run in runs:
            ended = await place.server.until_final(run)
            assert (ended.result, ended.revision and ended.revision.id, ended.attempt) == (number, pushed, 1)


async def test_a_hang_up_has_the_sources_asked_now(place: Place) -> None:
    pushed = place.repository.commit_files(files(3))
    place.server.process.send_signal(signal.SIGHUP)
    await place.server.until_active("ask/ask", pushed)


async def test_a_run_in_a_run_is_its_child_and_is_asked_for_once(place: Place) -> None:
    run = await place.server.until_final(await request_run(place.server.store, "ask/ask", {}))
    assert run.state is RunState.COMPLETED, run.failure
    assert run.result == [str(run.id), "completed", ["asked for", "by hand"], None, str(run.id)]
    [child] = await place.server.store.runs(parent_id=run.id)
    assert (child.deployment, child.is_nested) == ("greet/greet", False)


async def test_a_copy_of_its_own_may_be_written_to_and_is_gone_after(place: Place) -> None:
    run = await place.server.until_final(await request_run(place.server.store, "write-aside", {}))
    assert run.state is RunState.COMPLETED, run.failure
    directory, names = run.result
    assert names == ["data", "flows.py", "out.csv"]
    await place.server.until(lambda: not Path(directory).exists(), "the copy to be removed")


async def test_what_writes_into_its_snapshot_is_told_what_to_do(place: Place) -> None:
    run = await place.server.until_final(await request_run(place.server.store, "write/write", {}))
    if run.state is RunState.COMPLETED:
        lacks("nothing here keeps root from writing into a snapshot")
    assert run.failure is not None
    assert 'write to current_run().scratch, or serve it with workdir="private"' in run.failure.message


async def test_a_source_that_is_away_keeps_no_run_from_the_last_good_code(place: Place) -> None:
    gone = place.repository.path.with_name("elsewhere.git")
    place.repository.path.rename(gone)
    try:
        run = await place.server.until_final(await request_run(place.server.store, "greet/greet", {}))
    finally:
        gone.rename(place.repository.path)
    assert run.state is RunState.COMPLETED
    [line] = await place.server.store.lines(run.id)
    assert line.text.endswith("; this run goes on with what served last.")
