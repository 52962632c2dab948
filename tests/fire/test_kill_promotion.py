"""A server that is killed on the way from a push to its promotion leaves what serves as it was, or as it is to be."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import anyio
import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.promotions import Kind
from flowsource.store import open_store
from tests.fire.checking import untrue
from tests.fire.length import rounds
from tests.support.git_server import git_server
from tests.support.live import serving
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

SCRIPT = """
from flowsource import GitRepository, flow
if __name__ == "__main__":
    flow.from_source(GitRepository({url!r}, pull_interval=0.05), "flows.py:hello").serve(name="served")
"""
# From a push to the promotion it takes a tenth of a second; the start is not what is meant.
LONGEST = 0.4


async def test_killed_at_any_moment_a_promotion_is_whole_or_absent_and_the_next_server_goes_on(tmp_path: Path) -> None:
    requires("git")
    chance = random.Random(11)
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git")
    home, script = tmp_path / "home", tmp_path / "serve.py"

    def push(number: int) -> str:
        return repository.commit_files({"flows.py": f"def hello():\n    return {number}\n"})

    known = [push(0)]
    with git_server(repository.path.parent) as remote:
        script.write_text(SCRIPT.format(url=remote.url("repo.git")))
        for number in range(1, rounds("kills on the way to a promotion", short=2, full=60) + 1):
            async with serving(script, home) as server:
                deployment = await server.until_active("hello/served", known[-1])
                known.append(push(number))
                await anyio.sleep(chance.uniform(0, LONGEST))
                server.process.send_signal(signal.SIGKILL)
                await server.ended()
                left = await server.store.deployment("hello/served")
                assert left.active.id in known[-2:]
                promoted = [one for one in await server.store.history(deployment.id) if one.kind is Kind.PROMOTED]
                assert promoted[0].revision == left.active, "what serves and its history are written together"
        async with serving(script, home) as server:
            await server.until_active("hello/served", known[-1])
            assert await server.stop() == 0
    async with open_store(f"sqlite:///{home / 'flowsource.db'}") as store:
        assert await untrue(store, home) == []
