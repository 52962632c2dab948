"""Runs that wait for runs, where there are fewer places than of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from textwrap import dedent

import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from tests.support.live import Serving, serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from multiprocessing import get_context
    from flowsource import flow, run_deployment, serve

    def ask(n):
        return run_deployment("count/limited", {"n": n}).result

    @flow
    def count(n: int):
        return n if n == 0 else 1 + ask(n - 1)

    @flow
    def gather(how: str):
        Pool = {
            "threads": lambda: ThreadPoolExecutor(2),
            "processes": lambda: ProcessPoolExecutor(2, get_context("fork")),
        }[how]
        with Pool() as pool:
            return list(pool.map(ask, [0, 1]))

    if __name__ == "__main__":
        serve(
            count.to_deployment("limited", limit=1, global_limit=1),
            gather.to_deployment("gather", limit=1),
            limit=1,
        )
"""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    place = tmp_path_factory.mktemp("waiting")
    (place / "flows.py").write_text(dedent(SCRIPT))
    async with serving(place / "flows.py", place / "home") as server:
        yield server
        assert await server.stop() == 0


async def test_a_run_that_waits_for_one_of_its_own_kind_does_not_wait_for_itself(server: Serving) -> None:
    run = await server.until_final(await request_run(server.store, "count/limited", {"n": 2}))
    assert (run.state, run.result) == (RunState.COMPLETED, 2)


@pytest.mark.parametrize("how", ["threads", "processes"])
async def test_a_run_may_wait_for_several_at_once_from_its_threads_and_processes(server: Serving, how: str) -> None:
    run = await server.until_final(await request_run(server.store, "gather/gather", {"how": how}))
    assert (run.state, run.result) == (RunState.COMPLETED, [0, 1])
