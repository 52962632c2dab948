"""What is told of what a flow returned or raised: small and plain, and told in time."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flowsource.runner.child import results as child_results
from flowsource.runner.child.results import failure_of, result_of

HERE = Path(__file__).parent


class Claims(dict[str, int]):
    """Not what it says it is."""

    def items(self) -> Any:
        raise RuntimeError("no items")


def circle() -> list[object]:
    around: list[object] = []
    around.append(around)
    return around


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "text", "\ud800", [], {"a": [1, {"b": None}]}, 2**64])
def test_small_json_is_kept(value: object) -> None:
    assert result_of(value) == {"has_result": True, "result": value}


@pytest.mark.parametrize(
    "value",
    [object(), {1: 2}, {1, 2}, b"x", (1, 2), float("nan"), [float("inf")], 2**2000, 10**5000, Claims(a=1), circle()],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json_is_noted_by_its_type(value: object) -> None:
    told = result_of(value)
    assert told["has_result"] is False
    assert type(value).__qualname__ in told["result"]
    assert told["result"].endswith("was not kept: it is not JSON")


def test_what_is_too_deep_is_noted_and_what_is_too_long_with_its_size() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert result_of(deep)["has_result"] is False
    long = "x" * child_results.MAX_RESULT_BYTES
    assert result_of(long)["result"] == "a result of type str and 262,146 bytes was not kept: 262,144 are the most"


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


class Odd(Exception):
    def __init__(self, do: Any) -> None:
        self.do = do

    def __str__(self) -> str:
        text: str = self.do()
        return text


def leave() -> str:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda: 1 / 0, "<its text raised ZeroDivisionError>"),
        (lambda: 5, "<its text raised TypeError>"),
        (leave, "<its text raised SystemExit>"),
        (lambda: time.sleep(600), "<its text took too long>"),
    ],
)
def test_an_exception_that_cannot_say_what_it_is_is_told_by_its_type_and_place(
    monkeypatch: pytest.MonkeyPatch, do: Any, said: str
) -> None:
    monkeypatch.setattr(child_results, "PATIENCE_SECONDS", 0.05)
    failure = failure_of(raised(Odd(do)), HERE, is_over=True)
    assert (failure["kind"], failure["message"]) == ("Odd", said)
    assert "in raised" in failure["traceback"]


def test_a_long_text_is_cut_in_its_middle() -> None:
    failure = failure_of(raised(ValueError("a" * 1_000_000 + "z")), HERE, is_over=True)
    assert len(failure["message"]) < 17_000
    assert failure["message"].startswith("aaa")
    assert failure["message"].endswith("aaz")
    assert "[983617 characters more]" in failure["message"]
    assert len(failure["traceback"]) < 140_000


def test_while_the_flow_goes_on_its_timer_is_left_alone_and_any_thread_may_fail() -> None:
    signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        with ThreadPoolExecutor(1) as thread:
            told = thread.submit(failure_of, raised(Odd(lambda: 1 / 0)), HERE, is_over=False).result()
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert told["message"] == "<its text raised ZeroDivisionError>"
