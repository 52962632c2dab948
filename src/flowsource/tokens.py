"""Tokens: how a process or a person shows a server who it is, and what that one may do."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, get_args
from uuid import UUID

from flowsource.errors import InvalidInput

Scope = Literal["viewer", "operator", "runner", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

# By which whoever finds one lying about knows what it is.
PREFIX = "fs_"
_SECRET = re.compile(r"fs_[A-Za-z0-9_-]{43}")
_LONGEST_NAME = 100

# What each scope includes. A runner is no person: it sees what is its own alone.
_INCLUDED: dict[Scope, frozenset[Scope]] = {
    "viewer": frozenset({"viewer"}),
    "operator": frozenset({"viewer", "operator"}),
    "runner": frozenset({"runner"}),
    "admin": frozenset(SCOPES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept: without its secret, of which the store has a digest only.

    What a runner registers belongs to the `name` of its token, so that a token may be replaced by another of that name.
    `used_at` is when it was last used, to a minute.
    """

    id: UUID
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it counts at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def may(self, scope: Scope) -> bool:
        """Whether what needs `scope` may be done with it."""
        return any(scope in _INCLUDED[held] for held in self.scopes)


def new_secret() -> str:
    """A secret of 256 random bits, with the prefix."""
    return PREFIX + secrets.token_urlsafe(32)


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def digest_of(secret: str) -> str:
    """What is kept of a secret. One that is as random as ours needs no salt and no slow digest."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_token_name(name: str) -> str:
    """`name` if a token can be called so; raises InvalidInput. In an address dots alone would lead elsewhere."""
    if not name.strip(". ") or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise InvalidInput(f"name: {name!r} is not a name; give up to {_LONGEST_NAME} signs on one line.")
    return name


def check_scopes(scopes: Sequence[str]) -> tuple[Scope, ...]:
    """`scopes` if there are such, each once; raises InvalidInput."""
    known: dict[str, Scope] = {scope: scope for scope in SCOPES}
    if not scopes or not set(scopes) <= known.keys():
        raise InvalidInput(f"scope: {', '.join(scopes) or 'none'} is given; give some of {', '.join(SCOPES)}.")
    return tuple(known[scope] for scope in dict.fromkeys(scopes))
