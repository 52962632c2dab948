"""Flows that are called inside a run: each tells of its beginning and its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowsource.runner.processes.starter import Starter
from tests.support.orders import Heard, execute

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]


def steps(heard: Heard) -> list[tuple[str, str]]:
    return [(message["name"], message["state"]) for message in heard.of_type("nested")]


async def test_calls_tell_of_their_beginning_and_end_however_deep_they_are(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import current_run, flow, get_run_logger, tags

        @flow(flow_run_name="leaf-{n}")
        def leaf(n, thing=None):
            run = current_run()
            return [run.name, run.flow, sorted(run.tags), run.attempt, run.parameters["n"]]

        @flow
        def middle(n):
            with tags("inner"):
                return leaf(n, object())

        def main():
            outer = current_run()
            found = middle(1)
            assert current_run() is outer
            return found
        """
    )
    heard = await execute(server, root, run={"tags": ["etl"]})
    assert heard.outcome["result"] == ["leaf-1", "leaf", ["etl", "inner"], 1, 1]
    assert steps(heard) == [
        ("middle-1", "running"),
        ("leaf-1", "running"),
        ("leaf-1", "completed"),
        ("middle-1", "completed"),
    ]
    begun, ended = (message for message in heard.of_type("nested") if message["flow"] == "leaf")
    assert begun["id"] == ended["id"]
    assert begun["parameters"] == {"n": 1, "thing": "<builtins.object>"}
    assert (begun["ended_at"], begun["failure"]) == (None, None)
    assert ended["started_at"] == begun["started_at"] <= ended["ended_at"]


async def test_a_call_that_fails_is_told_with_its_traceback_and_may_be_survived(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import flow

        @flow
        def breaks():
            raise ValueError("no good")

        calls = []

        @flow(retries=1, on_completion=[lambda flow, run, state: print("hook", run.attempt)])
        def flaky():
            calls.append(1)
            return 1 / (len(calls) - 1)

        def main():
            try:
                breaks()
            except ValueError:
                return [flaky(), len(calls)]
        """
    )
    heard = await execute(server, root)
    assert heard.outcome["result"] == [1.0, 2]
    failure = heard.of_type("nested")[1]["failure"]
    assert (failure["kind"], failure["message"]) == ("ValueError", "no good")
    assert 'File "flows.py", line 6, in breaks' in failure["traceback"]
    # Two attempts in one process are one call.
    assert steps(heard)[2:] == [("flaky-2", "running"), ("flaky-2", "completed")]
    assert "hook 2" in heard.said


async def test_calls_from_tasks_threads_and_generators_are_told_too(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        from flowsource import current_run, flow

        @flow
        async def sleeps(n):
            await asyncio.sleep(0.01 * n)
            return [n, current_run().parameters["n"]]

        @flow
        def breaks():
            raise KeyError("in a thread")

        @flow
        def works(n):
            try:
                breaks()
            except KeyError:
                pass
            return [n, current_run().parameters["n"]]

        @flow
        def counts(n):
            for number in range(n):
                yield [number, current_run().parameters["n"]]

        async def main():
            slept = await asyncio.gather(*map(sleeps, range(3)))
            with ThreadPoolExecutor(4) as pool:
                worked = list(pool.map(works, range(40)))
            counted = []
            for item in counts(2):
                assert current_run().flow == "main"
                counted.append(item)
            return [slept, worked == [[n, n] for n in range(40)], counted]
        """
    )
    heard = await execute(server, root)
    assert heard.outcome["result"] == [[[0, 0], [1, 1], [2, 2]], True, [[0, 2], [1, 2]]]
    flows = [message["flow"] for message in heard.of_type("nested") if message["state"] == "completed"]
    assert (flows.count("sleeps"), flows.count("works"), flows.count("counts")) == (3, 40, 1)
    assert len({message["id"] for message in heard.of_type("nested")}) == 84


async def test_a_call_with_its_prints_logged_and_one_without_are_told_apart(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import threading
        from flowsource import flow

        @flow(log_prints=True)
        def logs(): print("as a record")

        @flow
        def as_its_caller(): print("as its caller")

        def main():
            print("as a line")
            logs()
            as_its_caller()

        @flow(log_prints=True)
        def logs_all():
            as_its_caller()
            thread = threading.Thread(target=print, args=["in a thread"])
            thread.start()
            thread.join()
        """
    )
    heard = await execute(server, root)
    assert heard.said == ["as a line", "as a record", "as its caller"]
    assert [record["text"] for record in heard.records] == ["as a record"]
    all_of_it = await execute(server, root, "flows.py:logs_all")
    assert [record["text"] for record in all_of_it.records] == ["as its caller", "in a thread"]
