"""Tokens as they are kept, and what belongs to whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from flowsource.errors import InConflict, NotFound
from flowsource.store.tables import AnyRow, deployments, insert_unless_there, runners, runs, tokens
from flowsource.store.values import Things
from flowsource.tokens import Token

USED_TO_THE = timedelta(minutes=1)

_ALL = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
_OF_DIGEST = select(tokens).where(tokens.c.digest == bindparam("of_digest"))
_OF_NAME = select(tokens).where(tokens.c.name == bindparam("called"), tokens.c.revoked_at.is_(None))
_REVOKE = update(tokens).where(tokens.c.id == bindparam("which")).values(revoked_at=bindparam("now"))
_USE = update(tokens).where(tokens.c.id == bindparam("which")).values(used_at=bindparam("now"))


def create(connection: Connection, token: Token, digest: str) -> Token:
    """Keep a new token; raises InConflict where one of that name counts."""
    row = connection.execute(_OF_NAME, {"called": token.name}).one_or_none()
    if row is not None and token_from(row).is_good(token.created_at):
        raise _taken(token.name)
    if row is not None:
        # It has expired: the name is free.
        connection.execute(_REVOKE, {"which": row.id, "now": row.expires_at})
    columns = {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "digest": digest,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
    if not connection.execute(insert_unless_there(connection, tokens), columns).rowcount:
        raise _taken(token.name)  # By one that was made at the same time.
    return token


def everyone(connection: Connection) -> list[Token]:
    """All tokens, the oldest first, also those that do not count any more."""
    return [token_from(row) for row in connection.execute(_ALL)]


def _taken(name: str) -> InConflict:
    return InConflict(f"there is a token {name!r}. Give another name, or revoke it first.")


def revoke(connection: Connection, name: str, *, now: datetime) -> Token:
    """Let the token of that name count no more; raises NotFound."""
    row = connection.execute(_OF_NAME, {"called": name}).one_or_none()
    if row is None:
        raise NotFound(f"no token {name!r} that counts. `flowsource server token ls` lists those there are.")
    connection.execute(_REVOKE, {"which": row.id, "now": now})
    return token_from(connection.execute(select(tokens).where(tokens.c.id == row.id)).one())


def of_digest(connection: Connection, digest: str) -> Token | None:
    """The token of that digest."""
    row = connection.execute(_OF_DIGEST, {"of_digest": digest}).one_or_none()
    return token_from(row) if row is not None else None


def note_use(connection: Connection, token_id: UUID, *, now: datetime) -> None:
    """It was used."""
    connection.execute(_USE, {"which": token_id, "now": now})


def not_owned(connection: Connection, owner: str, things: Things) -> Things:
    """Those of `things` that are there and are not the owner's."""
    others = connection.execute(
        select(runners.c.id).where(runners.c.id.in_(list(things.runners)), runners.c.owner.is_distinct_from(owner))
    )
    foreign = deployments.c.owner.is_distinct_from(owner)
    of_others = connection.execute(
        select(deployments.c.id).where(deployments.c.id.in_(list(things.deployments)), foreign)
    )
    run_by_others = connection.execute(
        select(runs.c.id)
        .join(deployments, deployments.c.id == runs.c.deployment_id)
        .where(runs.c.id.in_(list(things.runs)), foreign)
    )
    his = set(connection.execute(select(deployments.c.source_key).where(deployments.c.owner == owner)).scalars())
    return Things(
        runners=_in_order(others.scalars().all()),
        deployments=_in_order(of_others.scalars().all()),
        runs=_in_order(run_by_others.scalars().all()),
        sources=tuple(key for key in things.sources if key not in his),
    )


def _in_order(found: Sequence[UUID]) -> tuple[UUID, ...]:
    return tuple(sorted(found))


def token_from(row: AnyRow) -> Token:
    """The token that `row` has the columns of."""
    return Token(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
