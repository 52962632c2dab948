"""One budget for each host, whoever asks there."""

from __future__ import annotations

import math
import time
from datetime import timedelta

import anyio
import pytest

from flowsource.errors import SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.watch.budget import Budget, Spent, begun, ended, held, wait_for_turn
from flowsource.watch.hosts import Host, Hosts, address_of
from tests.support.waiting import until
from tests.watch.told import Remote, ToldSource, revision, watch

pytestmark = pytest.mark.anyio

BUDGET = Budget(at_once=2, spacing=timedelta(seconds=1))


async def test_requests_to_a_host_are_spaced_and_only_so_many_at_once() -> None:
    spent = Spent()
    assert wait_for_turn(spent, BUDGET, now=5.0) == 0
    spent = begun(spent, BUDGET, now=5.0)
    assert wait_for_turn(spent, BUDGET, now=5.25) == 0.75
    assert wait_for_turn(spent, BUDGET, now=6.0) == 0
    spent = begun(spent, BUDGET, now=6.0)
    assert wait_for_turn(spent, BUDGET, now=100.0) is None
    assert wait_for_turn(ended(spent), BUDGET, now=100.0) == 0


async def test_the_longest_wait_that_a_host_asked_for_counts() -> None:
    spent = held(held(Spent(), 60, now=0.0), 10, now=1.0)
    assert spent.held_until == 60
    assert held(spent, 60, now=30.0).held_until == 90


async def test_whoever_finds_a_host_busy_goes_on_as_soon_as_one_has_ended() -> None:
    host = Host(Budget(at_once=1, spacing=timedelta(0)))
    order: list[str] = []

    async def ask(name: str, answered: anyio.Event) -> None:
        await host.take_turn()
        order.append(f"{name} asks")
        await answered.wait()
        order.append(f"{name} is answered")
        host.give_back_turn()

    first, second = anyio.Event(), anyio.Event()
    second.set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "a", first)
        await until(lambda: order == ["a asks"])
        tasks.start_soon(ask, "b", second)
        await anyio.wait_all_tasks_blocked()
        assert order == ["a asks"]
        first.set()
    assert order == ["a asks", "a is answered", "b asks", "b is answered"]


async def test_sources_of_one_host_share_it_and_others_do_not(remote: Remote) -> None:
    hosts = Hosts()
    here = hosts.of(ToldSource(remote, key="a", host="example.org:443"))
    assert hosts.of(ToldSource(remote, key="b", host="example.org:443")) is here
    assert hosts.of(ToldSource(remote, key="c", host="example.com:443")) is not here
    assert hosts.of(ToldSource(remote, key="d")) is not hosts.of(ToldSource(remote, key="d"))
    assert address_of(ToldSource(remote, key="a", host="example.org")) == "https://example.org/a.git"


async def test_a_host_that_asks_one_of_us_to_wait_is_left_alone_by_all_who_ask_it(cache: SnapshotCache) -> None:
    host, busy, other = Host(), Remote(), Remote()
    one = await watch(cache, ToldSource(busy, key="one", every=3600), host=host)
    two = await watch(cache, ToldSource(other, key="two", every=0.01), host=host)
    busy.answer = SourceUnavailable("busy", retry_after=0.6)
    begun, asked = time.monotonic(), other.asked
    await one.watcher.poll_once()
    async with two.running():
        other.answer = revision(2)
        two.watcher.hint()
        await until(lambda: other.asked > asked)
        assert time.monotonic() - begun >= 0.6, "not even a hint makes us ask before"
        await until(lambda: two.snapshots == [("branch main", revision(2).id)])


async def test_how_long_a_host_is_left_alone_is_told_as_the_next_try(remote: Remote, cache: SnapshotCache) -> None:
    watched = await watch(cache, ToldSource(remote))
    remote.answer = SourceUnavailable("busy", retry_after=600)
    async with watched.running():
        watched.watcher.hint()
        await until(lambda: len(watched.reports) >= 2)
    [report] = watched.reports[-1]
    assert report.poll is not None and report.status.next_try_at is not None
    assert 595 <= (report.status.next_try_at - report.poll.at).total_seconds() <= 605


async def test_a_next_try_beyond_all_calendars_is_none_at_all(remote: Remote, cache: SnapshotCache) -> None:
    source = ToldSource(remote)
    source.pull_interval = timedelta.max
    watched = await watch(cache, source)
    async with watched.running():
        await until(lambda: len(watched.reports) == 1)
    assert watched.watcher.statuses[0].next_try_at is None
    assert watched.watcher.delay() < math.inf
