"""How often one host is asked, whoever asks: decided on values, without a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a host is asked for at most: so many requests at once, and `spacing` between the beginnings of two."""

    at_once: int = 4
    spacing: timedelta = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a host is being asked: how many requests go on, when the next may begin at the earliest, and until when
    the host wants to be left alone (both as `time.monotonic`)."""

    going_on: int = 0
    next_at: float = 0.0
    held_until: float = 0.0


def wait_for_turn(spent: Spent, budget: Budget, *, now: float) -> float | None:
    """Seconds until one more request may begin, 0 for at once; None when another one must end first.

    >>> wait_for_turn(Spent(next_at=10.5), Budget(), now=10.0), wait_for_turn(Spent(going_on=4), Budget(), now=0.0)
    (0.5, None)
    """
    return None if spent.going_on >= budget.at_once else max(0.0, spent.next_at - now)


def begun(spent: Spent, budget: Budget, *, now: float) -> Spent:
    """`spent` with one more request that has begun."""
    return replace(spent, going_on=spent.going_on + 1, next_at=now + budget.spacing.total_seconds())


def ended(spent: Spent) -> Spent:
    """`spent` with one request fewer."""
    return replace(spent, going_on=spent.going_on - 1)


def held(spent: Spent, seconds: float, *, now: float) -> Spent:
    """`spent` once the host asked to be left alone for `seconds`, unless it did for longer before."""
    return replace(spent, held_until=max(spent.held_until, now + seconds))
