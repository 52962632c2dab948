"""`flowsource` at an instant at which time stands still: `python -m tests.cli.frozen INSTANT WORDS...`."""

from __future__ import annotations

import datetime as module
import sys
from datetime import tzinfo
from typing import Any

_Real = module.datetime


class _Kind(type(_Real)):  # type: ignore[misc] # mypy knows no class that is told by a call
    """Takes every instant for one of those that stand still."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _Real)


class Frozen(_Real, metaclass=_Kind):
    """Instants of a clock that does not go on."""

    standing = ""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """Always the same."""
        return cls.fromisoformat(cls.standing).astimezone(tz)


if __name__ == "__main__":
    Frozen.standing = sys.argv[1]
    # The standing clock is for whoever imports it from here on, which no type can say.
    module.datetime = Frozen  # type: ignore[misc]

    from flowsource.cli import main

    sys.exit(main(sys.argv[2:]))
