"""Deployments that make each other run: how far that may go."""

from __future__ import annotations

from collections.abc import Sequence

# A deployment that mends what another needs, and has that run again, comes round a few times; not for ever.
MOST_ROUNDS = 5


def is_loop(chain: Sequence[str], deployment: str) -> bool:
    """Whether one more run of `deployment` comes round too often, in a chain of deployments that led there.

    >>> is_loop(["a", "b"] * 4, "a"), is_loop(["a", "b"] * 5, "a")
    (False, True)
    """
    return list(chain).count(deployment) >= MOST_ROUNDS


def chain_text(chain: Sequence[str]) -> str:
    """The last round of a chain, as it is told.

    >>> chain_text(["x", "a", "b", "a", "b", "a"])
    'a -> b -> a'
    """
    before = list(chain[:-1])[::-1]
    length = before.index(chain[-1]) + 2 if chain[-1] in before else len(chain)
    return " -> ".join(chain[-length:])
