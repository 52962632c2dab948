"""Who may use this server, and for what? Each token, with its making and its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from flowsource.server.access import Shown, TheStore
from flowsource.server.pages.marks import Mark
from flowsource.server.pages.showing import page
from flowsource.tokens import Token

router = APIRouter(include_in_schema=False)

Admin = Annotated[Token, Depends(Shown("admin"))]

# What each scope lets somebody do, from the least.
_MEANINGS = (
    ("viewer", "look"),
    ("operator", "and act: ask for runs, cancel, pause, pin"),
    ("runner", "register deployments and execute their runs"),
    ("admin", "everything, tokens too"),
)
_GOOD = Mark("✔", "good", "good")
_EXPIRED = Mark("⧗", "expired", "off", "its time is over; the name is free for another")
_REVOKED = Mark("⊘", "revoked", "off", "a person took it back; the name is free for another")


@dataclass(frozen=True, slots=True)
class _Token:
    of: Token
    mark: Mark
    quoted: str
    is_good: bool
    is_own: bool


@router.get("/tokens")
async def show_tokens(request: Request, store: TheStore, token: Admin) -> Response:
    """All tokens: those that count by name, then the others, the newest first."""
    now = store.now()
    known = await store.tokens()
    return page(
        request,
        "tokens.html",
        title="Tokens",
        token=token,
        twin="/tokens",
        scopes=_MEANINGS,
        tokens=[_token(one, token, now) for one in ordered(known, now)],
    )


def ordered(tokens: list[Token], now: datetime) -> list[Token]:
    """Those of `tokens` that count at `now` by name, then the others, the newest first."""
    good = sorted((one for one in tokens if one.is_good(now)), key=lambda one: one.name)
    others = sorted((one for one in tokens if not one.is_good(now)), key=lambda one: one.created_at, reverse=True)
    return good + others


def token_mark(token: Token, now: datetime) -> Mark:
    """Whether a token counts at `now`, and why not."""
    if token.is_good(now):
        return _GOOD
    return _EXPIRED if token.revoked_at is None else _REVOKED


def _token(one: Token, own: Token, now: datetime) -> _Token:
    return _Token(one, token_mark(one, now), quote(one.name, safe=""), one.is_good(now), one.id == own.id)
