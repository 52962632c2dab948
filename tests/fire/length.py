"""How long sources and runs are held under fire: seconds in the ordinary suite, minutes with FLOWSOURCE_FIRE=full."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

_Case = TypeVar("_Case")

FULL: Final = os.environ.get("FLOWSOURCE_FIRE") == "full"

# What ran, as one line at the end of the report says it.
ran: Final[dict[str, str]] = {}


def some(what: str, cases: Sequence[_Case], *, every: int) -> list[_Case]:
    """All `cases` of `what`, or in the short form the first of each `every`."""
    chosen = list(cases if FULL else cases[::every])
    ran[what] = f"{len(chosen)} of {len(cases)}"
    return chosen


def rounds(what: str, *, short: int, full: int) -> int:
    """How many rounds of `what` there are to be."""
    chosen = full if FULL else short
    ran[what] = f"{chosen} of {full}"
    return chosen
