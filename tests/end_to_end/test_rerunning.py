"""A run is done again at the revision that it had, by a real server; or the new one says why it cannot be."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from anyio import to_thread

from flowsource.demo.repository import FixtureRepository
from flowsource.runner.requests import request_run
from flowsource.runner.rerunning import rerun
from flowsource.runs import RunState
from tests.cli.calling import CommandLine
from tests.support.git_server import git_server
from tests.support.live import serving
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

SCRIPT = """
from flowsource import {source}, flow, serve
source = {source}({where!r}{options})
if __name__ == "__main__":
    serve(flow.from_source(source, "flows.py:hello").to_deployment("demo", freshness="every_run"))
"""
FLOW = 'def hello(name: str = "world"):\n    return {answer!r} + name\n'


def remove(place: Path) -> None:
    """Remove a directory, with what is read-only in it."""
    for directory, _, _ in os.walk(place):
        Path(directory).chmod(0o700)
    shutil.rmtree(place)


@contextmanager
def remote_of(place: Path, script: Path) -> Iterator[None]:
    """A remote for what is served below `place`, and the script that serves its flow."""
    with git_server(place / "served") as remote:
        where, options = remote.url("repo.git"), ", pull_interval=0.2"
        script.write_text(SCRIPT.format(source="GitRepository", where=where, options=options))
        yield


def kept(home: Path, revision: str) -> bool:
    """Whether there is a snapshot of that revision."""
    return any(revision in str(place) for place in home.glob("cache/sources/*/snapshots/*/complete"))


async def test_a_run_is_done_again_at_what_serves_or_at_the_revision_that_it_had(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git")
    first = repository.commit_files({"flows.py": FLOW.format(answer="one ")}, message="Say one")
    script, home = tmp_path / "serve.py", tmp_path / "home"
    with remote_of(tmp_path, script):
        async with serving(script, home) as server:
            asked = await request_run(server.store, "hello/demo", {"name": "ada"}, tags=("mine",))
            before = await server.until_final(asked)
            second = repository.commit_files({"flows.py": FLOW.format(answer="two ")}, message="Say two")
            await server.until_active("hello/demo", second)

            active = await server.until_final(await rerun(server.store, before))
            command = CommandLine(home)
            done = await to_thread.run_sync(lambda: command("runs", "rerun", before.name, "--at", "same", "--json"))
            same = await server.until_final(await server.store.run(json.loads(done.out)["id"]))

            assert [run.result for run in (before, active, same)] == ["one ada", "two ada", "one ada"]
            assert [run.revision.id for run in (active, same) if run.revision] == [second, first]
            assert [(run.rerun_of, run.tags) for run in (active, same)] == [(before.id, ("mine",))] * 2
            assert (await server.store.deployment("hello/demo")).active.id == second


async def test_a_revision_that_is_not_kept_any_more_is_fetched_again(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git")
    first = repository.commit_files({"flows.py": FLOW.format(answer="one ")}, message="Say one")
    script, home = tmp_path / "serve.py", tmp_path / "home"
    with remote_of(tmp_path, script):
        async with serving(script, home) as server:
            before = await server.until_final(await request_run(server.store, "hello/demo", {}))
            assert await server.stop() == 0
        remove(home / "cache")
        second = repository.commit_files({"flows.py": FLOW.format(answer="two ")}, message="Say two")
        async with serving(script, home) as server:
            await server.until_active("hello/demo", second)
            assert not kept(home, first)

            same = await server.until_final(await rerun(server.store, before, at="same"))

            assert (same.state, same.result) == (RunState.COMPLETED, "one world"), same.failure
            assert kept(home, first)
            assert (await server.store.deployment("hello/demo")).active.id == second


async def test_a_revision_that_is_nowhere_any_more_crashes_the_run_which_says_so(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git")
    repository.commit_files({"flows.py": FLOW.format(answer="one ")}, message="Say one")
    script, home = tmp_path / "serve.py", tmp_path / "home"
    with remote_of(tmp_path, script):
        async with serving(script, home) as server:
            before = await server.until_final(await request_run(server.store, "hello/demo", {}))
            assert await server.stop() == 0
        for place in (home / "cache", repository.path):
            remove(place)
        anew = FixtureRepository.create(repository.path)
        second = anew.commit_files({"flows.py": FLOW.format(answer="two ")}, message="Say two")
        async with serving(script, home) as server:
            await server.until_active("hello/demo", second)

            same = await server.until_final(await rerun(server.store, before, at="same"))

            assert (same.state, same.failure is not None) == (RunState.CRASHED, True)
            assert same.failure is not None and before.revision is not None
            assert before.revision.id[:7] in same.failure.message


async def test_what_was_in_a_directory_that_is_used_in_place_cannot_be_done_again(tmp_path: Path) -> None:
    files, script = tmp_path / "files", tmp_path / "serve.py"
    files.mkdir()
    (files / "flows.py").write_text(FLOW.format(answer="one "))
    script.write_text(SCRIPT.format(source="LocalStorage", where=str(files), options=""))
    async with serving(script, tmp_path / "home") as server:
        before = await server.until_final(await request_run(server.store, "hello/demo", {}))
        assert before.revision is not None
        was = before.revision.id
        (files / "flows.py").write_text(FLOW.format(answer="two "))

        async def is_another() -> bool:
            return (await server.store.deployment("hello/demo")).active.id != was

        await server.until(is_another, "the edit to be seen")
        active = await server.until_final(await rerun(server.store, before))
        same = await server.until_final(await rerun(server.store, before, at="same"))

        assert (active.state, active.result) == (RunState.COMPLETED, "two world")
        assert same.state is RunState.CRASHED
        assert same.failure is not None
        assert "used in place" in same.failure.message
