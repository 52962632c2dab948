"""When a flow that failed is executed again, and after how long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flowsource.errors import InvalidInput
from flowsource.json_values import is_number

MOST_RETRIES = 1000
# Longer than anybody waits, and short enough that no sum of instants leaves the calendar.
LONGEST_SECONDS = 36525 * 86400.0
Condition = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Up to `retries` further attempts, the n-th one after the n-th of `delays`, and after the last where they end.

    `delays` are seconds; each grows by up to `jitter_factor` times itself, so that what failed together does not come
    back together. `on` are the exceptions that are worth another attempt (None: all), or a condition to be asked.
    """

    retries: int
    delays: tuple[float, ...] = (0.0,)
    jitter_factor: float = 0.0
    on: tuple[type[BaseException], ...] | Condition | None = None

    def delay_after(self, attempt: int, *, chance: float) -> float | None:
        """How many seconds after the failure of `attempt` (counted from 1) the next one is to begin; None for never.

        No more than LONGEST_SECONDS; `chance`, in [0, 1), is how much of the jitter it gets.

        >>> policy = RetryPolicy(retries=3, delays=(1.0, 10.0), jitter_factor=0.5)
        >>> [policy.delay_after(attempt, chance=0.5) for attempt in (1, 2, 3, 4)]
        [1.25, 12.5, 12.5, None]
        """
        if attempt > self.retries:
            return None
        delay = self.delays[min(attempt, len(self.delays)) - 1]
        return min(delay * (1 + self.jitter_factor * chance), LONGEST_SECONDS)

    @property
    def condition(self) -> Condition | None:
        """What is to be asked whether an attempt is worth another one, where exceptions alone do not tell."""
        return None if self.on is None or isinstance(self.on, tuple) else self.on

    def is_for(self, error: BaseException) -> bool:
        """Whether `error` is one that is worth another attempt, as far as its type tells."""
        return isinstance(error, self.on) if isinstance(self.on, tuple) else True


def retry_policy(retries: object, delay: object, jitter_factor: object, on: object) -> RetryPolicy | None:
    """The policy of a flow by its options of these names; None for no retries. Raises InvalidInput naming the option.

    >>> retry_policy(3, lambda retries: [2**n for n in range(retries)], None, None).delays
    (1.0, 2.0, 4.0)
    """
    count = _count(retries)
    delays = _delays(delay, count)
    factor = 0.0 if jitter_factor is None else _seconds("retry_jitter_factor", jitter_factor)
    condition = _condition(on)
    if not count:
        return None
    return RetryPolicy(retries=count, delays=delays, jitter_factor=factor, on=condition)


def _count(retries: object) -> int:
    if retries is None:
        return 0
    if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= MOST_RETRIES:
        raise InvalidInput(f"retries: {retries!r} is not a whole number from 0 to {MOST_RETRIES}; give one.")
    return retries


def _delays(delay: object, count: int) -> tuple[float, ...]:
    if delay is None:
        return (0.0,)
    if callable(delay):
        delay = delay(count)
    if not isinstance(delay, Sequence) or isinstance(delay, str | bytes):
        return (_seconds("retry_delay_seconds", delay),)
    return tuple(_seconds("retry_delay_seconds", one) for one in delay) or (0.0,)


def _seconds(option: str, value: object) -> float:
    if not is_number(value) or not 0 <= value <= sys.float_info.max:
        raise InvalidInput(f"{option}: {value!r} is not a number of 0 or more; give one.")
    return float(value)


def _condition(on: Any) -> tuple[type[BaseException], ...] | Condition | None:
    if on is None:
        return None
    kinds = tuple(on) if isinstance(on, tuple | list) else (on,)
    if kinds and all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        return kinds
    if callable(on) and not isinstance(on, type):
        condition: Condition = on
        return condition
    raise InvalidInput(
        f"retry_on: {on!r} is no type of exception; give one, several in a tuple, "
        "or a function that takes the flow, its run and the state, and returns whether to try again."
    )
