"""The first token of a server: made when there is none, and left where only whoever runs the server can read it."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from flowsource.errors import InConflict, InvalidSettings
from flowsource.store.protocol import Store
from flowsource.tokens import Token, digest_of, new_secret

NAME = "first"


async def ensure_first_token(store: Store, file: Path) -> bool:
    """Have `file` hold the token of an administrator that counts, unless others do; whether it was made now.

    Raises InvalidSettings where it cannot be written.
    """
    if await _has_one(store):
        return False
    secret = new_secret()
    try:
        _write(file, secret)
    except OSError as error:
        raise InvalidSettings(f"{file} cannot be written ({error.strerror}): the first token would go there.") from None
    token = Token(id=uuid4(), name=NAME, scopes=("admin",), created_at=store.now())
    try:
        await store.create_token(token, digest_of(secret))
    except InConflict:
        _remove(file)
        # Another server of the same store, which began at the same time, was first.
        if await _has_one(store):
            return False
        raise
    return True


async def _has_one(store: Store) -> bool:
    now = store.now()
    return any(token.is_good(now) and token.may("admin") for token in await store.tokens())


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


def _write(file: Path, secret: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Anew, so that nobody who has an old one open reads it, or gave it other permissions.
    _remove(file)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as handle:
        handle.write(f"{secret}\n")
        handle.flush()
        os.fsync(handle.fileno())
