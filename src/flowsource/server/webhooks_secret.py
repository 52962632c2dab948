"""Where the secret of webhooks is kept: a variable or a file, read anew for each delivery so that it may be changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from flowsource.errors import InvalidInput, InvalidSettings
from flowsource.server.webhooks import is_usable

VARIABLE = "FLOWSOURCE_WEBHOOK_SECRET"


def secret_in(*, variable: str | None, file: str | None) -> Callable[[], bytes]:
    """What reads the secret from `file`, or from the environment variable `variable` (by default `VARIABLE`).

    Raises InvalidInput where both are given, InvalidSettings where there is no secret now that can be used; so does
    what is returned.
    """
    if variable is not None and file is not None:
        raise InvalidInput("--secret-env and --secret-file: give one of them.")
    read = partial(_from_file, Path(file)) if file is not None else partial(_from_variable, variable or VARIABLE)
    read()
    return read


def _from_variable(name: str) -> bytes:
    return _checked(os.environ.get(name, "").encode("utf-8", "surrogateescape"), f"the environment variable {name}")


def _from_file(path: Path) -> bytes:
    try:
        return _checked(path.read_bytes(), f"the file {path}")
    except OSError as error:
        raise InvalidSettings(f"webhook secret: the file {path} cannot be read ({error.strerror}).") from None


def _checked(text: bytes, where: str) -> bytes:
    secret = text.strip()
    if not secret:
        raise InvalidSettings(f"webhook secret: {where} is not set, or empty; put the secret of your webhooks there.")
    if not is_usable(secret):
        raise InvalidSettings(
            f"webhook secret: what is in {where} can be guessed, or is no `whsec_` secret; take 16 random letters or "
            "more, and give the same to whoever sends the webhooks."
        )
    return secret
