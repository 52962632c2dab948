"""Who does something at the command line, and why."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

from cyclopts import Parameter

from flowsource.promotions import Author

Reason = Annotated[str | None, Parameter(help="Why, for others to read.")]
By = Annotated[str | None, Parameter(help="Who does it, by default the user of this process.")]


def author(by: str | None, reason: str | None) -> Author:
    """Who does it and why, with the user of this process where nobody is named."""
    return Author(by or _user(), reason)


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        # A process of a container may have a number and no name.
        return "somebody"
