"""What the process of a run says before and after it calls the flow, and what it does with each kind of flow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowsource.runner.processes.starter import Starter
from tests.support.orders import execute

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]


async def test_before_it_calls_the_flow_it_says_what_the_code_says_of_the_run(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import flow

        @flow(flow_run_name="load-{day}-{n}", timeout_seconds=60, retries=2, retry_delay_seconds=[5, 7])
        def main(day, n=1):
            raise ValueError

        @main.on_failure
        @main.on_crashed
        def hook(flow, run, state): ...
        """
    )
    heard = await execute(server, root, parameters={"day": "monday"})
    assert heard.of_type("loaded") == [
        {
            "type": "loaded",
            "name": "load-monday-1",
            "timeout": 60,
            "retry_after_timeout": 5,
            "hooks": ["crashed", "failure"],
        }
    ]
    assert (heard.outcome["state"], heard.outcome["retry_in"]) == ("failed", 5)
    second = await execute(server, root, parameters={"day": "monday"}, run={"attempt": 2})
    assert (second.of_type("loaded")[0]["retry_after_timeout"], second.outcome["retry_in"]) == (7, 7)
    third = await execute(server, root, parameters={"day": "monday"}, run={"attempt": 3})
    assert (third.of_type("loaded")[0]["retry_after_timeout"], third.outcome["retry_in"]) == (None, None)


async def test_another_attempt_is_wanted_only_where_the_policy_wants_one(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import flow

        @flow(retries=1, timeout_seconds=60, retry_on=ConnectionError)
        def by_type(kind):
            raise {"connection": ConnectionError, "value": ValueError}[kind]

        def is_worth_it(flow, run, state):
            print(flow.name, run.attempt, run.deployment, state.name, state.error)
            return False

        @flow(retries=1, timeout_seconds=60, retry_on=is_worth_it)
        def by_function():
            raise ValueError("no")

        @flow(retries=1)
        def by_exit(n: int):
            raise SystemExit(n)
        """
    )
    worth = await execute(server, root, "flows.py:by_type", parameters={"kind": "connection"})
    not_worth = await execute(server, root, "flows.py:by_type", parameters={"kind": "value"})
    assert (worth.outcome["retry_in"], not_worth.outcome["retry_in"]) == (0, None)
    assert worth.of_type("loaded")[0]["retry_after_timeout"] is None
    asked = await execute(server, root, "flows.py:by_function")
    assert (asked.outcome["retry_in"], asked.said) == (None, ["by-function 1 main/test Failed no"])
    assert asked.of_type("loaded")[0]["retry_after_timeout"] == 0
    assert (await execute(server, root, "flows.py:by_exit", parameters={"n": 3})).outcome["retry_in"] == 0
    wrong = await execute(server, root, "flows.py:by_exit", parameters={"n": "x"})
    assert (wrong.outcome["failure"]["kind"], wrong.outcome["retry_in"]) == ("InvalidParameters", None)


async def test_a_name_of_runs_that_cannot_be_made_fails_the_run(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import flow
        @flow(flow_run_name="{nothing}", retries=3)
        def main(): ...
        """
    )
    heard = await execute(server, root)
    assert "flow_run_name: '{nothing}' of flow 'main'" in heard.outcome["failure"]["message"]
    assert (heard.outcome["retry_in"], heard.others) == (None, [])


async def test_every_kind_of_flow_is_called_to_its_end(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import asyncio
        from functools import partial, wraps

        def generator():
            for number in range(3):
                print(number)
                yield number
            return "returned"

        async def async_generator():
            for number in range(3):
                await asyncio.sleep(0)
                print(number)
                yield number

        async def add(first: int, second: int):
            return first + second

        added = partial(add, second=2)

        @wraps(add)
        def decorated(*args, **kwargs):
            return add(*args, **kwargs)

        class Adder:
            more = 5
            def __call__(self, first: int): return first + self.more
            async def later(self, first: int): return first + self.more
            @classmethod
            def of_class(cls, first: int): return cls.more + first
            @staticmethod
            def of_none(first: int): return first

        adder = Adder()

        class Foreign:
            name, description = "of-another", "It is."
            def __init__(self, fn): self.fn = fn
            def __call__(self, *args, **kwargs): return ["foreign", self.fn(*args, **kwargs)]

        foreign = Foreign(lambda first=1: first)
        """
    )
    first: dict[str, Any] = {"first": "1"}
    expected: list[tuple[str, dict[str, Any], Any]] = [
        ("generator", {}, "returned"),
        ("async_generator", {}, None),
        ("added", first, 3),
        ("decorated", {**first, "second": 3}, 4),
        ("adder", first, 6),
        ("adder.later", first, 6),
        ("Adder.of_class", first, 6),
        ("Adder.of_none", first, 1),
        ("foreign", {"first": 7}, ["foreign", 7]),
    ]
    for path, parameters, result in expected:
        heard = await execute(server, root, f"flows.py:{path}", parameters=parameters)
        assert (path, heard.outcome.get("result"), heard.outcome["state"]) == (path, result, "completed")
        assert heard.said == (["0", "1", "2"] if "generator" in path else [])


async def test_a_run_knows_all_about_itself(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import current_run, flow
        @flow(timeout_seconds=60, flow_run_name="known")
        def main(n=1):
            run = current_run()
            until = run.deadline - run.scheduled_at
            return [run.name, run.flow, run.attempt, run.fencing_token, run.ref, run.source, list(run.tags),
                    str(run.parent_id), run.parameters, run.event, until.total_seconds() > 60]
        """
    )
    parent = "00000000-0000-0000-0000-00000000000a"
    run = {"attempt": 2, "epoch": 7, "tags": ["etl"], "parent_id": parent}
    heard = await execute(server, root, parameters={"n": 2}, run=run)
    known = ["known", "main", 2, 7, "refs/heads/main", "code", ["etl"], parent, {"n": 2}, None, True]
    assert heard.outcome["result"] == known


async def test_the_load_check_tells_version_and_hooks(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import flow
        @flow(version="7", on_completion=[print])
        def main(): ...
        """
    )
    [facts] = (await execute(server, root, kind="inspect")).others
    assert (facts["type"], facts["version"], facts["hooks"]) == ("facts", "7", ["completion"])


async def test_the_load_check_refuses_options_that_cannot_be_used_with_their_name(
    server: Starter, write: Write
) -> None:
    root = write(flows="from flowsource import flow\n@flow(retries=-1)\ndef main(): ...\n")
    [told] = (await execute(server, root, kind="inspect")).others
    assert (told["type"], told["kind"]) == ("rejected", "import")
    assert "InvalidInput: retries: -1 is not a whole number" in told["message"]


async def test_a_file_that_serves_does_not_make_its_runs_import_what_serves(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import sys
        from flowsource import aserve, flow, serve

        @flow
        def main():
            try:
                serve(main.to_deployment)
            except ValueError as error:
                refused = str(error)
            return [refused, "sqlalchemy" in sys.modules]
        """
    )
    said, has_imported = (await execute(server, root)).outcome["result"]
    assert said.startswith("serve() was called while this file was imported to load a flow from it")
    assert not has_imported
