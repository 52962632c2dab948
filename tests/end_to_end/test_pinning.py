"""What people do about revisions, while a real server follows a real repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio import to_thread

from flowsource.demo.repository import FixtureRepository
from flowsource.deployments import Deployment
from flowsource.promotions import Kind
from flowsource.runner.requests import request_run
from tests.cli.calling import CommandLine, Done
from tests.support.git_server import GitServer, git_server
from tests.support.live import Serving, serving
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

SCRIPT = """
from flowsource import GitRepository, flow, serve
source = GitRepository({url!r}, pull_interval=0.2)
if __name__ == "__main__":
    serve({deployments})
"""
FLOW = 'def hello(name: str = "world"):\n    return {answer!r}\n'


@dataclass
class Place:
    """A repository on a server over HTTP, and a home for what serves it."""

    repository: FixtureRepository
    remote: GitServer
    directory: Path

    def push(self, answer: str, **others: str) -> str:
        """Push a commit whose flow returns `answer`, with other files by their names (`_` for a dot)."""
        files = {"flows.py": FLOW.format(answer=answer)}
        return self.repository.commit_files(
            {**files, **{name.replace("_", "."): text for name, text in others.items()}}, message=f"Say {answer}"
        )

    def script(self, *deployments: tuple[str, str]) -> Path:
        """A script that serves deployments of (entrypoint, options)."""
        made = (f"flow.from_source(source, {where!r}).to_deployment({options})" for where, options in deployments)
        script = self.directory / "serve.py"
        script.write_text(SCRIPT.format(url=self.remote.url("repo.git"), deployments=", ".join(made)))
        return script

    async def command(self, *words: str) -> Done:
        """Do `flowsource deployments ...`, as a person does beside the server."""
        return await to_thread.run_sync(lambda: CommandLine(self.directory / "home")("deployments", *words))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git")
    with git_server(tmp_path / "served") as remote:
        yield Place(repository, remote, tmp_path)


async def answer(server: Serving) -> object:
    run = await server.until_final(await request_run(server.store, "hello/demo", {}))
    assert run.failure is None
    return run.result


async def now(server: Serving, name: str = "hello/demo") -> Deployment:
    return await server.store.deployment(name)


async def test_a_pin_wins_while_pushes_go_on_and_unpinning_serves_the_newest(place: Place) -> None:
    first = place.push("one")
    async with serving(place.script(("flows.py:hello", "'demo'")), place.directory / "home") as server:
        second = place.push("two")
        await server.until_active("hello/demo", second)

        done = await place.command("pin", "demo", first[:8], "--reason", "two is slow", "--by", "ada")
        assert (done.code, done.err.count("stays there until it is unpinned")) == (0, 1)
        assert await answer(server) == "one"

        third = place.push("three")
        await server.until_said(f"{third[:7]} Say three loads, and would serve but for the pin")
        assert await answer(server) == "one"
        assert (await now(server)).followed.revision.id == third

        shown = await place.command("show", "demo")
        assert "pinned" in shown.out
        assert f"to {first[:7]} Say one by ada" in shown.out
        assert "flowsource deployments unpin hello/demo" in shown.out
        assert (await place.command("ls")).out.splitlines()[1].startswith("⚲ pinned  hello/demo")

        assert (await place.command("unpin", "demo")).code == 0
        assert (await now(server)).active.id == third
        assert await answer(server) == "three"
        kinds = [entry.kind for entry in await server.store.history((await now(server)).id)]
        assert kinds == [
            Kind.PROMOTED,
            Kind.UNPINNED,
            Kind.PASSED,
            Kind.PROMOTED,
            Kind.PINNED,
            Kind.PROMOTED,
            Kind.PROMOTED,
        ]


async def test_a_pin_survives_a_restart_and_takes_effect_without_a_server_at_the_next_start(place: Place) -> None:
    first = place.push("one")
    script, home = place.script(("flows.py:hello", "'demo'")), place.directory / "home"
    async with serving(script, home) as server:
        await server.until_active("hello/demo", place.push("two"))
        assert await server.stop() == 0
    done = await place.command("pin", "demo", first)
    assert "takes effect when it is served the next time" in done.err
    third = place.push("three")
    async with serving(script, home) as server:
        assert await answer(server) == "one"
        assert "is pinned to" in server.said
        await server.until_said(f"{third[:7]} Say three loads, and would serve")
        assert (await place.command("unpin", "demo")).code == 0
        assert await answer(server) == "three"


async def test_a_rollback_lasts_over_a_restart_until_a_newer_commit(place: Place) -> None:
    first = place.push("one")
    script, home = place.script(("flows.py:hello", "'demo'")), place.directory / "home"
    async with serving(script, home) as server:
        await server.until_active("hello/demo", place.push("wrong"))
        done = await place.command("rollback", "demo", "--reason", "wrong answers")
        assert (done.code, f"serves {first[:7]} Say one" in done.err) == (0, True)
        before = len(place.remote.log)
        await server.until(lambda: len(place.remote.log) > before + 2, "two more polls")
        assert await answer(server) == "one"
        assert "↶ rolled back" in (await place.command("ls")).out
        assert await server.stop() == 0
    async with serving(script, home) as server:
        assert await answer(server) == "one"
        await server.until_active("hello/demo", place.push("right"))
        assert await answer(server) == "right"


async def test_a_pin_to_a_commit_that_nobody_knows_yet_is_fetched_or_refused(place: Place) -> None:
    place.push("one")
    elsewhere = place.repository.commit_files({"flows.py": FLOW.format(answer="aside")}, branch="aside")
    async with serving(place.script(("flows.py:hello", "'demo'")), place.directory / "home") as server:
        assert (await place.command("pin", "demo", elsewhere)).code == 0
        assert await answer(server) == "aside"
        refused = await place.command("pin", "demo", "d" * 40)
        assert refused.code == 6
        assert "keeps serving" in refused.err
        deployment = await now(server)
        assert (deployment.active.id, deployment.pin is not None) == (elsewhere, True)
        unknown = await place.command("pin", "demo", "abcd")
        assert (unknown.code, "none of those that are known here" in unknown.err) == (2, True)


async def test_a_change_of_dependencies_is_held_until_it_is_accepted(place: Place) -> None:
    first = place.push("one", requirements_txt="httpx==0.27\n")
    script = place.script(("flows.py:hello", "'demo', on_dependency_change='hold'"))
    home = place.directory / "home"
    async with serving(script, home) as server:
        second = place.push("two", requirements_txt="httpx==0.28\n")
        await server.until_said("waits, for it changes requirements.txt")
        assert (await now(server)).active.id == first
        assert "+httpx==0.28\n" in (await place.command("show", "demo")).out
        done = await place.command("accept", "demo", "--json")
        assert json.loads(done.out)["active"]["id"] == second
        assert await answer(server) == "two"
        assert await server.stop() == 0

    place.push("three", requirements_txt="httpx==0.29\n")
    async with serving(script, home) as server:
        await server.until_said("waits, for it changes requirements.txt")
        assert await answer(server) == "two"
        restored = place.push("four", requirements_txt="httpx==0.28\n")
        assert (await server.until_active("hello/demo", restored)).held is None


async def test_a_commit_that_breaks_one_flow_updates_another(place: Place) -> None:
    good: dict[str, str | bytes] = {"a.py": "def a(): return 1\n", "b.py": "def b(): return 1\n"}
    first = place.repository.commit_files(good)
    script = place.script(("a.py:a", "'demo'"), ("b.py:b", "'demo'"))
    async with serving(script, place.directory / "home") as server:
        commit = place.repository.commit_files({"a.py": "def a(): return 2\n", "b.py": "import nothing_like_it\n"})
        await server.until_active("a/demo", commit)

        async def is_rejected() -> bool:
            return (await now(server, "b/demo")).rejected is not None

        await server.until(is_rejected, "the other one to be rejected")
        assert (await now(server, "b/demo")).active.id == first
        run = await server.until_final(await request_run(server.store, "a/demo", {}))
        assert run.result == 2


async def test_a_push_outside_of_the_paths_is_promoted_without_a_process(place: Place) -> None:
    marks = place.directory / "marks"
    marks.mkdir()
    # Each time the flow is loaded it leaves a file.
    flows = f"import pathlib, uuid\npathlib.Path({str(marks)!r}, uuid.uuid4().hex).touch()\ndef hello(): ...\n"
    place.repository.commit_files({"flows.py": flows, "lib/x.py": "", "README.md": "one"})
    script = place.script(("flows.py:hello", "'demo', paths=['lib']"))
    async with serving(script, place.directory / "home") as server:
        loaded = len(list(marks.iterdir()))
        outside = place.repository.commit_files({"flows.py": flows, "lib/x.py": "", "README.md": "two"})
        await server.until_active("hello/demo", outside)
        assert len(list(marks.iterdir())) == loaded
        inside = place.repository.commit_files({"flows.py": flows, "lib/x.py": "A = 1", "README.md": "two"})
        await server.until_active("hello/demo", inside)
        assert len(list(marks.iterdir())) == loaded + 1
