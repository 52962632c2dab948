"""Places in a log as text, for cursors and for streams that are resumed."""

from __future__ import annotations

import re

from flowsource.errors import InvalidInput
from flowsource.store.values import BEFORE_ALL, LinePlace

_PLACE = re.compile(r"(\d{1,9})\.(\d{1,12})")


def place_text(place: LinePlace) -> str:
    """A place as `line_place` reads it."""
    return f"{place[0]}.{place[1]}"


def line_place(text: str | None) -> LinePlace:
    """The place that `text` tells, by default that before all; raises InvalidInput."""
    if text is None:
        return BEFORE_ALL
    if not (match := _PLACE.fullmatch(text)):
        raise InvalidInput("the place in the log is none of ours. Give it as it was given, or leave it out.")
    return int(match[1]), int(match[2])
