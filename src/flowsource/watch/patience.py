"""How long a remote may take, before it is given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import anyio

from flowsource.errors import SourceUnavailable

# A remote is waited for, but not for ever: one that never finishes an answer is as good as away.
PROBE_DEADLINE = timedelta(seconds=60)


class GivenUp(SourceUnavailable):
    """What was asked for took so long that nobody waits for it any more."""


@contextmanager
def probing(label: str) -> Iterator[None]:
    """Ends what is inside once the deadline is over, and raises GivenUp then."""
    with anyio.move_on_after(PROBE_DEADLINE.total_seconds()) as patience:
        yield
    if patience.cancelled_caught:
        raise GivenUp(f"{label} gave no whole answer within {PROBE_DEADLINE.total_seconds():g} s.")
