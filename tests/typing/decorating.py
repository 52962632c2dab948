"""What a type checker knows of a decorated function: all that it knew before."""

# pyright: strict
from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_type

from flowsource import Flow, flow


@flow
def total(items: list[int], *, tax: float = 0.2) -> float:
    return sum(items) * (1 + tax)


@flow(name="a total", description="Adds.", log_prints=True, validate_parameters=False)
def with_arguments(items: list[int], *, tax: float = 0.2) -> float:
    return sum(items) * (1 + tax)


@flow()
def with_empty_parentheses(day: str) -> None:
    print(day)


@flow
async def download(url: str, tries: int = 3) -> bytes:
    return url.encode() * tries


def undecorated(day: str) -> int:
    return len(day)


def calls_keep_parameters_and_return_type() -> None:
    assert_type(total([1, 2]), float)
    assert_type(total(items=[1, 2], tax=0.1), float)
    assert_type(with_arguments([1, 2], tax=0.1), float)
    assert_type(flow(undecorated)("monday"), int)
    assert_type(Flow(undecorated, name="length")("monday"), int)
    assert_type(total.with_options(name="another")([1]), float)
    with_empty_parentheses("monday")


def wrong_calls_are_seen() -> None:
    total("not a list")  # wrong
    total([1], 0.1)  # wrong
    total([1], taxes=0.1)  # wrong
    total()  # wrong
    with_arguments(["1"])  # wrong
    with_empty_parentheses(1)  # wrong
    total.with_options(name="another")("1")  # wrong
    total([1]).upper()  # wrong


async def an_async_flow_gives_a_coroutine() -> None:
    coroutine: Coroutine[Any, Any, bytes] = download("https://example.org")
    assert_type(await coroutine, bytes)
    assert_type(await download("https://example.org", tries=1), bytes)


async def wrong_async_calls_are_seen() -> None:
    await download(1)  # wrong
    text: str = await download("https://example.org")  # wrong
    early: bytes = download("https://example.org")  # wrong
    print(text, early)


def wrong_decorating_is_seen() -> None:
    flow(name=1)  # wrong
    flow(nmae="misspelt")  # wrong
    flow("not a function")  # wrong
    total.with_options(nmae="misspelt")  # wrong
