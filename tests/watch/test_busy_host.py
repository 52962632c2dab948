"""A real server that has had enough of us: every repository on it is left alone, and nobody else is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.source_status import SourceState, SourceStatus
from flowsource.sources.base import Source
from flowsource.sources.git.repository import GitRepository
from flowsource.watch.hosts import Hosts
from flowsource.watch.latest import latest
from flowsource.watch.watcher import Watcher
from tests.support.git_server import GitServer, Refuse, git_server
from tests.support.parts import requires
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    requires("git")
    for name in ("one", "two"):
        FixtureRepository.create(tmp_path / "served" / f"{name}.git").commit_files({"flows.py": ""})
    with git_server(tmp_path / "served") as server:
        yield server


@asynccontextmanager
async def watching(cache: SnapshotCache, hosts: Hosts, source: GitRepository) -> AsyncIterator[Watcher]:
    async def take(source: Source, snapshot: Snapshot) -> None:
        pass

    def note(before: SourceStatus, after: SourceStatus) -> None:
        pass

    known = await latest(source, cache)
    watcher = Watcher([source], [known], cache, on_snapshot=take, on_status=note, host=hosts.of(source))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run)
        yield watcher
        tasks.cancel_scope.cancel()


async def test_a_server_that_refuses_one_repository_for_a_while_is_asked_for_no_other(
    server: GitServer, cache: SnapshotCache
) -> None:
    hosts = Hosts()
    one = GitRepository(server.url("one.git"), pull_interval=3600)
    two = GitRepository(server.url("two.git"), pull_interval=3600)
    assert hosts.of(one) is hosts.of(two)
    async with watching(cache, hosts, one) as first, watching(cache, hosts, two) as second:
        server.misbehave(Refuse(status=429, headers={"Retry-After": "1"}), on="one.git")
        begun = time.monotonic()
        first.hint()
        await until(lambda: first.statuses[0].state is SourceState.DEGRADED)
        asked = len(server.log)
        second.hint()
        await until(lambda: any("two.git" in exchange.path for exchange in server.log[asked:]))
        assert time.monotonic() - begun >= 1.0
        assert "asks to wait 1 s" in str(first.statuses[0].reason)
        assert second.statuses[0].state is SourceState.OK
