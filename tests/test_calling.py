"""A flow that is called directly: its options count here too, and what it logs is told as its own."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from textwrap import dedent
from threading import Thread
from typing import Any

import pytest

from flowsource import current_run, flow, get_run_logger
from flowsource.errors import InvalidInput


def told_by(code: str) -> list[str]:
    """What a program writes to standard error, without the times."""
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    return [line.partition(" | ")[2] for line in done.stderr.splitlines()]


def test_what_a_flow_prints_is_told_between_its_beginning_and_its_end() -> None:
    told = told_by(
        """
        from flowsource import flow
        @flow(log_prints=True, flow_run_name="greet-{name}")
        def hello(name="world"):
            print(f"Hello {name}!")
        hello("you")
        """
    )
    assert told == [
        "INFO    | flowsource.engine - Created flow run 'greet-you' for flow 'hello'",
        "INFO    | Flow run 'greet-you' - Hello you!",
        "INFO    | Flow run 'greet-you' - Finished in state Completed()",
    ]


def test_a_plain_flow_that_logs_is_told_of_from_its_first_record_on_and_others_are_silent() -> None:
    first, second, third = told_by(
        """
        from flowsource import flow, get_run_logger
        @flow
        def silent(): ...
        @flow
        def logs():
            silent()
            get_run_logger().warning("look")
            raise ValueError("no good")
        try:
            logs()
        except ValueError:
            pass
        """
    )
    name = first.partition("'")[2].partition("'")[0]
    assert first == f"INFO    | flowsource.engine - Created flow run '{name}' for flow 'logs'"
    assert second == f"WARNING | Flow run '{name}' - look"
    assert third == f"ERROR   | Flow run '{name}' - Finished in state Failed(ValueError: no good)"


def test_a_flow_that_fails_is_called_again_after_a_while_and_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    @flow(retries=2, retry_delay_seconds=[0.001, 0.002], retry_on=ValueError)
    def flaky() -> int:
        calls.append(len(calls))
        if len(calls) < 3:
            raise ValueError("not yet")
        return len(calls)

    assert flaky() == 3
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "Attempt 1 of 3 failed (ValueError: not yet); the next one is in 0.001 s",
        "Attempt 2 of 3 failed (ValueError: not yet); the next one is in 0.002 s",
    ]


def test_an_async_flow_that_fails_is_called_again_too() -> None:
    calls: list[int] = []

    @flow(retries=1)
    async def flaky() -> int:
        calls.append(1)
        if len(calls) < 2:
            raise ValueError
        return len(calls)

    assert asyncio.run(flaky()) == 2


def test_what_is_not_worth_it_is_not_tried_again() -> None:
    asked: list[Any] = []

    def is_worth_it(asked_flow: Any, run: Any, state: Any) -> bool:
        asked.append((asked_flow.name, run.attempt, state.is_failed(), type(state.error)))
        return False

    @flow(retries=3, retry_on=ConnectionError)
    def by_type() -> None:
        raise ValueError("no good")

    @flow(retries=3, retry_on=is_worth_it)
    def by_function() -> None:
        raise ValueError("no good")

    for failing in (by_type, by_function):
        with pytest.raises(ValueError, match="no good"):
            failing()
    assert asked == [("by-function", 1, True, ValueError)]


def test_hooks_are_called_with_the_flow_its_run_and_the_state() -> None:
    heard: list[Any] = []

    def note(noted: Any, run: Any, state: Any) -> None:
        heard.append((noted.name, run.parameters, state.name, state.message))

    async def note_later(noted: Any, run: Any, state: Any) -> None:
        note(noted, run, state)

    @flow(on_running=[note], on_completion=[note_later], on_failure=[note, note_later])
    def divide(number: int) -> float:
        return 1 / number

    divide(1)
    with pytest.raises(ZeroDivisionError):
        divide(0)

    parameters, failed = {"number": 0}, ("Failed", "ZeroDivisionError: division by zero")
    assert heard == [
        ("divide", {"number": 1}, "Running", None),
        ("divide", {"number": 1}, "Completed", None),
        ("divide", parameters, "Running", None),
        ("divide", parameters, *failed),
        ("divide", parameters, *failed),
    ]


def test_a_hook_that_fails_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    heard = []

    def fails(*_: object) -> None:
        raise RuntimeError("of the hook")

    @flow(on_completion=[fails, lambda *_: heard.append("second")])
    def fine() -> int:
        return 5

    assert (fine(), heard) == (5, ["second"])
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "The hook 'fails' (on_completion) of flow 'fine' failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "of the hook"


def test_a_flow_that_is_cancelled_calls_the_hooks_of_that() -> None:
    heard = []

    @flow(on_cancellation=[lambda _flow, _run, state: heard.append(state.type)])
    async def waits() -> None:
        await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert heard == ["cancelled"]


def test_an_async_flow_that_takes_too_long_is_ended() -> None:
    heard = []

    @flow(timeout_seconds=0.01, on_failure=[lambda _flow, _run, state: heard.append(state.name)])
    async def waits() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError, match=r"flow 'waits' took longer than 0\.01 s"):
        asyncio.run(waits())
    assert heard == ["TimedOut"]


def test_a_flow_without_hooks_of_that_kind_and_of_generators_gives_what_it_yields() -> None:
    heard = []

    @flow(on_completion=[lambda *_: heard.append("completed")])
    def counts(to: int) -> Iterator[int]:
        yield from range(to)

    @flow(on_completion=[lambda *_: heard.append("completed")])
    async def counts_async(to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    async def all_of() -> list[int]:
        return [number async for number in counts_async(3)]

    begun = counts(3)
    assert (next(begun), heard) == (0, [])
    assert list(begun) == [1, 2]
    assert asyncio.run(all_of()) == [0, 1, 2]
    assert heard == ["completed", "completed"]


def test_what_is_sent_and_thrown_into_a_generator_reaches_it() -> None:
    @flow
    def echoes() -> Any:
        said = yield "ready"
        while True:
            try:
                said = yield said
            except KeyError:
                return "over"

    talk = echoes()
    assert (next(talk), talk.send("hi")) == ("ready", "hi")
    with pytest.raises(StopIteration, match="over"):
        talk.throw(KeyError())


def test_a_flow_has_its_prints_logged_where_it_or_its_caller_says_so_and_others_print_as_ever(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    @flow
    def as_its_caller() -> None:
        print("as its caller")

    @flow(log_prints=False)
    def never() -> None:
        print("never")

    @flow(log_prints=True)
    def outer() -> None:
        print("logged", 1, sep="-")
        print("aside", file=sys.stderr)
        as_its_caller()
        never()
        thread = Thread(target=print, args=["elsewhere"])
        thread.start()
        thread.join()

    outer()
    as_its_caller()
    logged = [record.getMessage() for record in caplog.records if record.name == "flowsource.run"]
    assert logged == ["logged-1", "as its caller", "Finished in state Completed()"]
    assert capsys.readouterr() == ("never\nelsewhere\nas its caller\n", "aside\n")


def test_a_name_of_runs_that_cannot_be_made_is_told_before_the_flow_is_called() -> None:
    called = []

    @flow(flow_run_name="load-{dya}", log_prints=True)
    def load(day: str = "today") -> None:
        called.append(day)

    with pytest.raises(InvalidInput, match=r"flow_run_name: 'load-\{dya\}' of flow 'load' .* its parameters are day"):
        load()
    assert called == []


def test_a_direct_call_is_no_run() -> None:
    @flow
    def asks() -> bool:
        return current_run() is None

    assert asks()
    assert get_run_logger().name == "flowsource.run"
