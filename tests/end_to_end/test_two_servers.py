"""Two servers beside each other: what one has fetched, the other finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from tests.support.git_server import git_server
from tests.support.live import serving
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

FLOW = "from flowsource import flow\n@flow\ndef greet():\n    return {number}\n"
SCRIPT = """
from flowsource import GitRepository, flow
if __name__ == "__main__":
    flow.from_source(GitRepository({url!r}, pull_interval=0.2), "flows.py:greet").serve({name!r})
"""


async def test_two_servers_that_poll_one_repository_fetch_each_commit_once(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
    repository.commit_files({"flows.py": FLOW.format(number=0)})
    with git_server(tmp_path / "served") as remote:
        for name in ("one", "two"):
            (tmp_path / f"{name}.py").write_text(SCRIPT.format(url=remote.url("flows.git"), name=name))
        async with (
            serving(tmp_path / "one.py", tmp_path / "home") as one,
            serving(tmp_path / "two.py", tmp_path / "home") as two,
        ):
            for number in (1, 2):
                pushed = repository.commit_files({"flows.py": FLOW.format(number=number)})
                await one.until_active("greet/one", pushed)
                await two.until_active("greet/two", pushed)
            [known] = await one.store.sources(now=(await one.store.deployment("one")).updated_at)
            assert known.is_served
            assert (await one.stop(), await two.stop()) == (0, 0)
    fetches = [exchange for exchange in remote.log if exchange.command == "fetch"]
    polls = [exchange for exchange in remote.log if exchange.command == "ls-refs"]
    assert len(fetches) == 3
    assert len(polls) > len(fetches)
