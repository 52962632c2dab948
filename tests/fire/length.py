"""How long the source layer is held under fire: seconds in the ordinary suite, minutes with FLOWSOURCE_FIRE=full."""

from __future__ import annotations

import os
from typing import Final

FULL: Final = os.environ.get("FLOWSOURCE_FIRE") == "full"

# What ran, as one line at the end of the report says it.
ran: Final[dict[str, str]] = {}


def rounds(what: str, *, short: int, full: int) -> int:
    """How many rounds of `what` there are to be."""
    chosen = full if FULL else short
    ran[what] = f"{chosen} of {full}"
    return chosen
