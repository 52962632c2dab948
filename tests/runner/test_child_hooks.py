"""Hooks of a run, in a process of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowsource.runner.processes.starter import Starter
from tests.support.orders import Heard, execute

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

CRASHED = {"type": "crashed", "name": "Crashed", "message": "its process was killed by SIGKILL"}


async def called(server: Starter, root: Path, hook: str, state: dict[str, Any], **run: Any) -> Heard:
    heard = await execute(server, root, kind="hook", hook=hook, state=state, parameters={"n": 1}, run=run)
    assert [message["type"] for message in heard.others] == ["hooked"]
    return heard


async def test_each_is_called_with_the_flow_its_run_and_the_state(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import current_run, flow, get_run_logger

        def told(flow, run, state):
            get_run_logger().warning("%s %s %s %s %s %s", flow.name, run.name, run.attempt, run.deployment,
                                     run.revision.short, list(run.tags))
            print(run.parameters, run.state is state, state, state.is_crashed(), state.is_failed(), state.is_final())
            assert current_run().id == run.id

        async def later(flow, run, state):
            print("later", state.type)

        @flow(on_crashed=[told, later], on_failure=[later])
        def main(n): print("never")
        """
    )
    heard = await called(server, root, "crashed", CRASHED, attempt=2, tags=["etl"])
    assert heard.said == [
        "main brave-otter 2 main/test aaaaaaa ['etl']",
        "{'n': 1} True Crashed(its process was killed by SIGKILL) True False True",
        "later crashed",
    ]
    timed_out = {"type": "timed_out", "name": "TimedOut", "message": "60 s"}
    assert (await called(server, root, "failure", timed_out)).said == ["later timed_out"]
    assert (await called(server, root, "completion", CRASHED)).said == []


async def test_one_that_fails_is_logged_and_does_not_keep_the_next_from_being_called(
    server: Starter, write: Write
) -> None:
    root = write(
        flows="""
        import sys
        from flowsource import flow

        def fails(*_): raise ValueError("no good")
        def leaves(*_): sys.exit(3)
        def fine(*_): print("fine")

        @flow(on_crashed=[fails, leaves, fine])
        def main(n): ...
        """
    )
    heard = await called(server, root, "crashed", CRASHED)
    first, second = (record["text"] for record in heard.records)
    assert first.startswith("The hook 'fails' (on_crashed) of flow 'main' failed\nTraceback")
    assert first.endswith("ValueError: no good")
    assert second.startswith("The hook 'leaves' (on_crashed) of flow 'main' failed")
    assert heard.said[-1] == "fine"
    assert {record["level"] for record in heard.records} == {40}


async def test_where_the_flow_does_not_load_that_is_logged(server: Starter, write: Write) -> None:
    heard = await called(server, write(flows="1 / 0"), "crashed", CRASHED)
    [record] = heard.records
    assert record["text"].startswith("The hooks on_crashed were not called: 'flows.py:main' fails while it is imported")
