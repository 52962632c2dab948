"""The options of a flow are known by name and type, and hooks stay the functions they are."""

# pyright: strict
from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any, assert_type

from flowsource import current_run, flow, tags


def notify(of: Any, run: Any, state: Any) -> None:
    print(of, run, state)


async def notify_later(of: Any, run: Any, state: Any) -> None:
    print(of, run, state)


@flow(
    version="1",
    flow_run_name="load-{day}",
    retries=3,
    retry_delay_seconds=[1, 2.5, 10],
    retry_jitter_factor=0.5,
    retry_on=(ConnectionError, TimeoutError),
    timeout_seconds=60,
    on_running=[notify],
    on_completion=[notify_later],
    on_failure=[notify, notify_later],
    on_cancellation=None,
    on_crashed=[],
)
def load(day: str) -> int:
    return len(day)


@load.on_failure
def page_somebody(of: Any, run: Any, state: Any) -> int:
    return len(str([of, run, state]))


@flow(retry_delay_seconds=lambda retries: [2.0**n for n in range(retries)], retries=2)
async def fetch(url: str) -> bytes:
    return url.encode()


@flow(retries=1)
def count(to: int) -> Generator[int, None, str]:
    yield from range(to)
    return "done"


@flow(timeout_seconds=1.5)
async def count_async(to: int) -> AsyncGenerator[int, None]:
    for number in range(to):
        yield number


class Report:
    @classmethod
    @flow(retries=1)
    def kind(cls, day: str) -> str:
        return day


async def all_that_is_known() -> None:
    assert_type(load("monday"), int)
    assert_type(load.with_options(retries=None, on_failure=[notify])("monday"), int)
    assert_type(page_somebody(load, None, None), int)
    assert_type(await fetch("https://example.org"), bytes)
    assert_type(count(3), Generator[int, None, str])
    assert_type(count_async(3), AsyncGenerator[int, None])
    assert_type(load.retries, int)
    assert_type(load.timeout_seconds, float | None)
    run = current_run()
    assert run is not None
    assert_type(run.attempt, int)
    assert_type(run.tags, tuple[str, ...])
    with tags("etl", "nightly") as named:
        assert_type(named, tuple[str, ...])


def wrong_options_are_seen() -> None:
    flow(retries="3")  # wrong
    flow(retry_delay_seconds="soon")  # wrong
    flow(retry_on=ValueError())  # wrong
    flow(timeout_seconds="60")  # wrong
    flow(on_failure=notify)  # wrong
    flow(flow_run_name=5)  # wrong
    load.with_options(retry=3)  # wrong
    load.on_failure("notify")  # wrong
    load(1)  # wrong
    tags(5)  # wrong
