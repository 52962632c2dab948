"""One deployment on many hosts: PostgreSQL, two servers before it, three runners, and a commit that all of them run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.fire.checking import untrue
from tests.support.fleets import Fleet, HostedServer, stop, written
from tests.support.git_hosts import git_host
from tests.support.hosts import Host, hosts
from tests.support.parts import requires
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.serving import READY, ServingScript
from tests.support.waiting import until_true

pytestmark = pytest.mark.anyio

RUNNERS = 3
FLOW = """
import os
from pathlib import Path
from time import sleep
from flowsource import flow

MARK = {mark!r}

@flow(log_prints=True)
def meet(place: str, guests: int):
    here = os.stat("/proc/self/ns/net").st_ino
    print("at", MARK, "in", here)
    Path(place, str(here)).touch()
    while len(os.listdir(place)) < guests:
        sleep(0.02)
    return {{"mark": MARK, "network": here}}
"""
SCRIPT = """
from flowsource import GitRepository, flow

if __name__ == "__main__":
    source = GitRepository({url!r}, pull_interval=0.5)
    flow.from_source(source, "flows.py:meet").serve("everywhere", limit=1)
"""


@contextmanager
def replicas(fleet: Fleet, places: list[Host]) -> Iterator[list[HostedServer]]:
    with ExitStack() as stack:
        servers = [stack.enter_context(fleet.server(place)) for place in places]
        for server in servers:
            server.wait_until_ready()
        yield servers


@contextmanager
def runners(
    fleet: Fleet, places: list[Host], script: Path, servers: list[HostedServer], token: Path
) -> Iterator[list[ServingScript]]:
    """A runner on each of the places, by way of one server after the other."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(fleet.runner(place, script, servers[number % len(servers)], token))
            for number, place in enumerate(places)
        ]
        for runner in started:
            runner.wait_until_said(READY)
        yield started


async def test_a_commit_is_run_by_every_runner_and_seen_by_way_of_every_server(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
    repository.commit_files({"flows.py": FLOW.format(mark="first")})
    with (
        hosts(RUNNERS + 3) as (one, other, git, *places),
        postgres_server() as postgres,
        database(postgres) as store_at,
    ):
        fleet = Fleet(tmp_path, store_at)
        with git_host(git, tmp_path / "served") as url, replicas(fleet, [one, other]) as servers:
            script = written(tmp_path / "script" / "serve.py", SCRIPT.format(url=f"{url}/flows.git"))
            token, person = await fleet.token("fleet", "runner"), await fleet.token("anna", "operator")
            with runners(fleet, places, script, servers, token) as started:
                async with open_store(store_at) as store:
                    assert len(await store.runners()) == RUNNERS
                    pushed = repository.commit_files({"flows.py": FLOW.format(mark="second")})
                    await until_active(store, pushed)
                    runs = await one_for_each(store, tmp_path)
                assert {run.result["mark"] for run in runs} == {"second"}
                assert {run.revision.id for run in runs if run.revision} == {pushed}
                assert {run.result["network"] for run in runs} == {place.network for place in places}
                seen = [told(fleet, places[0], server, person) for server in servers]
                assert seen[0] == seen[1]
                assert {run["name"] for run in seen[0]} == {run.name for run in runs}
                assert "at second" in fleet.ask(places[1], servers[1], person, "logs", runs[0].name).stdout
                assert stop(started) == [0] * RUNNERS
        async with open_store(store_at) as store:
            assert await store.runners() == []
            for place in places:
                assert await untrue(store, fleet.home(place), acknowledged=[run.id for run in runs]) == []


@contextmanager
def database(postgres: PostgresServer) -> Iterator[str]:
    """A new database, reached from every host of this machine."""
    with postgres.database() as address:
        yield postgres.local_address(address.rpartition("/")[2])


async def until_active(store: Store, revision: str) -> None:
    async def is_active() -> bool:
        return (await store.deployment("everywhere")).active.id == revision

    await until_true(is_active)


async def one_for_each(store: Store, place: Path) -> list[Run]:
    """As many runs as there are runners, each of which has room for one: none ends before all have begun."""
    meeting = place / "meeting"
    meeting.mkdir(mode=0o777)
    said: dict[str, Any] = {"place": str(meeting), "guests": RUNNERS}
    asked = [await request_run(store, "everywhere", said) for _ in range(RUNNERS)]
    for run in asked:
        await until_true(partial(has_ended, store, run))
    ended = [await store.run(str(run.id)) for run in asked]
    assert [run.state for run in ended] == [RunState.COMPLETED] * RUNNERS, [run.failure for run in ended]
    return ended


async def has_ended(store: Store, run: Run) -> bool:
    return (await store.run(str(run.id))).state.is_final


def told(fleet: Fleet, host: Host, server: HostedServer, person: Path) -> Any:
    done = fleet.ask(host, server, person, "runs", "ls", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
