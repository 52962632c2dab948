"""Paths that a person gave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from flowsource.errors import FlowsourceError, InvalidInput

PathLike: TypeAlias = str | os.PathLike[str]


def expanded(given: PathLike) -> Path:
    """`given` with a home directory in place of `~`."""
    try:
        return Path(given).expanduser()
    except (RuntimeError, ValueError):
        # Some users have no home directory, and some names are, or can be, no user's. As in a shell, the text is then
        # the name itself.
        return Path(given)


def checked_path(given: object, what: str) -> Path:
    """`given` as an absolute path; raises InvalidInput saying `what` it was to be."""
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise InvalidInput(f"{what} {given!r} is not a path; give that of a file.")
    return expanded(given).absolute()


def check_readable(path: Path, what: str, *, error: type[FlowsourceError] = InvalidInput) -> None:
    """Raise `error`, saying `what` it is, for a file that cannot be read."""
    try:
        path.open("rb").close()
    except OSError as reason:
        raise error(f"{what} {path} cannot be read ({reason.strerror}); correct it.") from reason
