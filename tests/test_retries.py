"""Whether a flow that failed is executed again, and after how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flowsource import flow
from flowsource.errors import InvalidInput
from flowsource.retries import RetryPolicy, retry_policy


def delays_of(policy: RetryPolicy | None, *, chance: float = 0.0) -> list[float | None]:
    assert policy is not None
    return [policy.delay_after(attempt, chance=chance) for attempt in range(1, policy.retries + 2)]


@pytest.mark.parametrize(
    ("delay", "delays"),
    [
        (None, [0, 0, 0, None]),
        (2, [2, 2, 2, None]),
        ([1, 10], [1, 10, 10, None]),
        ([], [0, 0, 0, None]),
        (lambda retries: [number * retries for number in range(retries)], [0, 3, 6, None]),
    ],
)
def test_a_delay_is_a_number_or_a_list_or_made_by_a_function(delay: Any, delays: list[float | None]) -> None:
    assert delays_of(retry_policy(3, delay, None, None)) == delays


def test_jitter_makes_a_delay_longer_and_never_shorter() -> None:
    policy = retry_policy(1, 10, 0.5, None)
    assert delays_of(policy, chance=0.0) == [10, None]
    assert delays_of(policy, chance=0.5) == [12.5, None]


def test_a_delay_that_no_calendar_holds_is_the_longest_there_is() -> None:
    century = timedelta(days=36525).total_seconds()
    for policy in (retry_policy(1, 1e300, None, None), retry_policy(1, 1e200, 1e200, None)):
        assert delays_of(policy, chance=0.5) == [century, None]


def test_types_of_exceptions_say_what_is_worth_another_attempt() -> None:
    policy = retry_policy(1, 0, None, (ConnectionError, TimeoutError))
    assert policy is not None
    assert policy.is_for(ConnectionResetError())
    assert not policy.is_for(ValueError())
    assert policy.condition is None


def test_a_function_is_asked_what_is_worth_another_attempt() -> None:
    def is_worth_it(*_: object) -> bool:
        return True

    policy = retry_policy(1, 0, None, is_worth_it)
    assert policy is not None
    assert policy.condition is is_worth_it
    assert policy.is_for(ValueError())


def test_without_retries_there_is_no_policy() -> None:
    assert retry_policy(None, 5, 0.5, ValueError) is None
    assert flow(lambda: 1).retry_policy is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retries": -1}, "retries: -1 is not a whole number from 0 to 1000"),
        ({"retries": True}, "retries: True is not"),
        ({"retries": 1, "retry_delay_seconds": -2}, "retry_delay_seconds: -2 is not a number of 0 or more"),
        ({"retries": 1, "retry_delay_seconds": [1, "2"]}, "retry_delay_seconds: '2' is not"),
        ({"retries": 1, "retry_delay_seconds": float("inf")}, "retry_delay_seconds: inf is not"),
        ({"retries": 1, "retry_delay_seconds": 10**400}, "retry_delay_seconds: 1000"),
        ({"retries": 1, "retry_delay_seconds": lambda retries: "x"}, "retry_delay_seconds: 'x' is not"),
        ({"retry_jitter_factor": -0.1}, "retry_jitter_factor: -0.1 is not"),
        ({"retry_on": "ValueError"}, "retry_on: 'ValueError' is no type of exception"),
        ({"retry_on": int}, "retry_on: <class 'int'> is no type of exception"),
    ],
)
def test_what_cannot_be_used_is_refused_by_the_name_of_its_option(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match="^" + said.replace("[", r"\[")):
        flow(**options)(lambda: 1)
