"""Browsers that came in with a token: their sessions, and the links by which these begin."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from flowsource.errors import NotFound
from flowsource.store.tables import login_links, sessions, tokens
from flowsource.store.tokens import token_from
from flowsource.tokens import Token

# Not each request of a page is to be a write.
PROLONGED_TO_THE = timedelta(minutes=1)

_TOKEN_OF_SESSION = (
    select(tokens, sessions.c.until)
    .join(sessions, sessions.c.token_id == tokens.c.id)
    .where(sessions.c.digest == bindparam("of_digest"))
)
_FOLLOW = delete(login_links).where(login_links.c.digest == bindparam("of_digest")).returning(*login_links.c)
_PROLONG = update(sessions).where(sessions.c.digest == bindparam("of_digest")).values(until=bindparam("new_until"))
_END = delete(sessions).where(sessions.c.digest == bindparam("of_digest"))
_SWEEP = tuple(delete(table).where(table.c.until <= bindparam("now")) for table in (sessions, login_links))


def create_link(connection: Connection, digest: str, token_id: UUID, *, until: datetime, now: datetime) -> None:
    """Keep a link, and let go of what is too old; raises NotFound where there is no such token."""
    if connection.execute(select(tokens.c.id).where(tokens.c.id == token_id)).one_or_none() is None:
        raise NotFound("the token of this link is gone. Make another, and a link with that.")
    for statement in _SWEEP:
        connection.execute(statement, {"now": now})
    connection.execute(insert(login_links), {"digest": digest, "token_id": token_id, "until": until})


def begin(connection: Connection, link: str, digest: str, *, until: datetime, now: datetime) -> Token | None:
    """Begin a session by a link, which is used up; None where it is not there, too old, or its token counts no more."""
    followed = connection.execute(_FOLLOW, {"of_digest": link}).one_or_none()
    if followed is None or followed.until <= now:
        return None
    token = token_from(connection.execute(select(tokens).where(tokens.c.id == followed.token_id)).one())
    if not token.is_good(now):
        return None
    connection.execute(insert(sessions), {"digest": digest, "token_id": token.id, "until": until})
    return token


def of_digest(connection: Connection, digest: str) -> tuple[Token, datetime] | None:
    """The token of the session of that digest, and until when that lasts."""
    row = connection.execute(_TOKEN_OF_SESSION, {"of_digest": digest}).one_or_none()
    return (token_from(row), row.until) if row is not None else None


def prolong(connection: Connection, digest: str, *, until: datetime) -> None:
    """Have a session last until then."""
    connection.execute(_PROLONG, {"of_digest": digest, "new_until": until})


def end(connection: Connection, digest: str) -> None:
    """End a session, if there is one."""
    connection.execute(_END, {"of_digest": digest})
