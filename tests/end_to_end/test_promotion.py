"""A bad push, a remote that goes away, and a start with nothing but the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository, steps
from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from tests.support.git_server import Refuse, git_server
from tests.support.live import Serving, serving
from tests.support.parts import requires
from tests.support.repositories import FIXTURES

pytestmark = pytest.mark.anyio

SCRIPT = """
from flowsource import GitRepository, flow
if __name__ == "__main__":
    flow.from_source(GitRepository({url!r}, pull_interval=0.3), {entrypoint!r}).serve({options})
"""


def write_script(place: Path, url: str, options: str = "name='demo'", entrypoint: str = "flows.py:hello") -> Path:
    script = place / "serve.py"
    script.write_text(SCRIPT.format(url=url, options=options, entrypoint=entrypoint))
    return script


async def result_of_a_run(server: Serving) -> object:
    run = await server.until_final(await request_run(server.store, "hello/demo", {}))
    assert run.state is RunState.COMPLETED, run.failure
    return run.result


async def test_a_commit_that_does_not_load_is_rejected_and_its_repair_taken_over(tmp_path: Path) -> None:
    say_hello, warmly, broken, repaired = steps(FIXTURES / "demo")
    repository = FixtureRepository.create(tmp_path / "repo.git", [say_hello, warmly])
    good = repository.tip()
    async with serving(write_script(tmp_path, str(repository.path)), tmp_path / "home") as server:
        bad = repository.commit(broken)

        async def is_rejected() -> bool:
            return (await server.store.deployment("hello/demo")).rejected is not None

        await server.until(is_rejected, "the commit to be rejected")
        deployment = await server.store.deployment("hello/demo")
        assert deployment.rejected is not None
        assert (deployment.active.id, deployment.rejected.revision.id) == (good, bad)
        assert deployment.rejected.kind == "import"
        assert "datetim" in deployment.rejected.message
        assert 'File "flows.py", line 1' in deployment.rejected.details
        assert await result_of_a_run(server) == "A very good day to you, world!"

        repair = repository.commit(repaired)
        deployment = await server.until_active("hello/demo", repair)
        assert deployment.rejected is None
        assert str(await result_of_a_run(server)).endswith("thank you for pushing!")
        assert "was rejected" in server.said


async def test_what_the_code_says_follows_the_code_without_a_restart(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "repo.git")
    repository.commit_files({"flows.py": 'def hello(name: str = "a"):\n    "Before."\n    return name\n'})
    async with serving(write_script(tmp_path, str(repository.path)), tmp_path / "home") as server:
        commit = repository.commit_files({"flows.py": 'def hello(count: int):\n    "After."\n    return count\n'})
        deployment = await server.until_active("hello/demo", commit)
        assert deployment.description == "After."
        run = await server.until_final(await request_run(server.store, "hello/demo", {"count": 7}))
        assert run.result == 7


async def test_parameters_of_the_deployment_that_no_longer_fit_reject_the_commit(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "repo.git")
    repository.commit_files({"flows.py": "def hello(name: str): return name\n"})
    script = write_script(tmp_path, str(repository.path), "name='demo', parameters={'name': 'Ada'}")
    async with serving(script, tmp_path / "home") as server:
        repository.commit_files({"flows.py": "def hello(person: str): return person\n"})

        async def is_rejected() -> bool:
            return (await server.store.deployment("hello/demo")).rejected is not None

        await server.until(is_rejected, "the commit to be rejected")
        rejected = (await server.store.deployment("hello/demo")).rejected
        assert rejected is not None
        assert rejected.kind == "invalid"
        assert "name: is not a parameter of this flow" in rejected.message
        assert await result_of_a_run(server) == "Ada"


async def test_a_remote_that_goes_away_is_a_state_and_runs_go_on(tmp_path: Path) -> None:
    requires("git")
    first, second, *_ = steps(FIXTURES / "demo")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git", [first])
    with git_server(tmp_path / "served") as remote:
        script = write_script(tmp_path, remote.url("repo.git"))
        async with serving(script, tmp_path / "home") as server:
            remote.misbehave(Refuse(status=503))
            await server.until_said("is degraded")
            assert await result_of_a_run(server) == "Hello, world!"
            commit = repository.commit(second)
            remote.behave()
            await server.until_active("hello/demo", commit)
            await server.until_said("answers again")
            assert "Traceback" not in server.said
            assert await server.stop() == 0


async def test_a_cold_start_works_from_disk_with_the_remote_away(tmp_path: Path) -> None:
    requires("git")
    first, *_ = steps(FIXTURES / "demo")
    FixtureRepository.create(tmp_path / "served" / "repo.git", [first])
    with git_server(tmp_path / "served") as remote:
        script = write_script(tmp_path, remote.url("repo.git"))
        async with serving(script, tmp_path / "home") as server:
            assert await server.stop() == 0
    # Nobody listens at that address any more.
    async with serving(script, tmp_path / "home") as server:
        assert await result_of_a_run(server) == "Hello, world!"
        assert "going on with" in server.said


async def test_a_start_on_a_broken_commit_goes_on_with_the_last_good_one(tmp_path: Path) -> None:
    say_hello, _, broken, repaired = steps(FIXTURES / "demo")
    repository = FixtureRepository.create(tmp_path / "repo.git", [say_hello])
    script = write_script(tmp_path, str(repository.path))
    async with serving(script, tmp_path / "home") as server:
        assert await server.stop() == 0
    repository.commit(broken)
    async with serving(script, tmp_path / "home") as server:
        assert "was rejected" in server.said
        assert await result_of_a_run(server) == "Hello, world!"
        await server.until_active("hello/demo", repository.commit(repaired))


async def test_a_first_start_on_a_broken_commit_registers_nothing(tmp_path: Path) -> None:
    *_, broken, _ = steps(FIXTURES / "demo")
    repository = FixtureRepository.create(tmp_path / "repo.git", [broken])
    script = write_script(tmp_path, str(repository.path))
    async with serving(script, tmp_path / "home", until_started=False) as server:
        assert await server.ended() != 0
        assert "'flows.py:hello' fails while it is imported" in server.said
        assert 'File "flows.py", line 1' in server.said
        assert await server.store.deployments() == []


async def test_a_wrong_entrypoint_names_what_is_there(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "repo.git", [steps(FIXTURES / "demo")[0]])
    for entrypoint, said in (("flow.py:hello", "files there: flows.py"), ("flows.py:helo", "flows there: hello")):
        script = write_script(tmp_path, str(repository.path), entrypoint=entrypoint)
        async with serving(script, tmp_path / "home", until_started=False) as server:
            assert await server.ended() != 0
            assert said in server.said
            assert await server.store.deployments() == []
