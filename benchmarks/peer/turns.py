"""Taking turns: things done one after the other, over and over, so that what else the machine does meets all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def in_turns(
    ours: Callable[[], A], peer: Callable[[], B], beside: Callable[[], C], *, rounds: int
) -> tuple[list[A], list[B], list[C]]:
    """The results of three things done alternately. One more round comes first and does not count."""
    results: tuple[list[A], list[B], list[C]] = ([], [], [])
    for number in range(rounds + 1):
        taken = ours(), peer(), beside()
        if number:
            results[0].append(taken[0])
            results[1].append(taken[1])
            results[2].append(taken[2])
    return results
