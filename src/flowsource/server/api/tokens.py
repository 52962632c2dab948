"""Tokens over the API, for administrators: who may do what."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Path
from starlette.responses import Response

from flowsource.cli.json_shapes import token_json
from flowsource.errors import InvalidInput
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import inputs, models
from flowsource.server.api.answers import Cursor, Limit, answer, behind, page, told
from flowsource.server.api.routing import api_router
from flowsource.tokens import Token, check_scopes, check_token_name, digest_of, new_secret

router = api_router("/tokens", tags=["tokens"])

Admin = Annotated[Token, Depends(Shown("admin"))]


@router.get("", responses=told(models.Page[models.Token]))
async def list_tokens(store: TheStore, _: Admin, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """All tokens, the oldest first, also those that do not count any more."""
    return page(behind(await store.tokens(), cursor, _place), limit, token_json, _place)


@router.post("", status_code=201, responses=told(models.NewToken, 201))
async def create_token(store: TheStore, _: Admin, asked: inputs.TokenAsked) -> Response:
    """Make a token. Its `secret` is in this answer, and nowhere else."""
    now = store.now()
    if asked.expires_at is not None and asked.expires_at <= now:
        raise InvalidInput("expires_at: that is past. Give an instant that is to come, or leave it out.")
    secret = new_secret()
    made = Token(
        id=uuid4(),
        name=check_token_name(asked.name),
        scopes=check_scopes(asked.scopes),
        created_at=now,
        expires_at=asked.expires_at,
    )
    await store.create_token(made, digest_of(secret))
    return answer({**token_json(made), "secret": secret}, 201)


@router.delete("/{name:path}", responses=told(models.Token))
async def revoke_token(
    store: TheStore, _: Admin, name: Annotated[str, Path(max_length=100, description="The name of the token.")]
) -> Response:
    """Let the token of that name count no more, from now on."""
    return answer(token_json(await store.revoke_token(name, now=store.now())))


def _place(one: Token) -> str:
    return f"{one.created_at.isoformat(timespec='microseconds')} {one.id}"
