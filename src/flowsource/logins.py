"""How browsers come in: by a link that works once, for a session that ends with its token."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from flowsource.errors import InConflict, NotAuthenticated
from flowsource.store.protocol import Store
from flowsource.tokens import Token, digest_of, new_secret

# Where a server begins sessions, below its prefix.
PATH = "/session"
LINK_FOR = timedelta(minutes=10)
# Since it was used last. It lets go of nothing that its token does not.
SESSION_FOR = timedelta(days=7)
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that came in: `cookie` is what it shows, and `csrf` what its pages send along, which the pages of
    others cannot know."""

    cookie: str
    token: Token

    @property
    def csrf(self) -> str:
        """Made of the cookie, so that every server knows it."""
        return sha256(b"csrf " + self.cookie.encode("utf-8", "surrogateescape")).hexdigest()

    def is_csrf(self, given: str) -> bool:
        """Whether `given` is that."""
        return hmac.compare_digest(self.csrf.encode(), given.encode("utf-8", "surrogateescape"))


async def link_for(store: Store, token_id: UUID) -> str:
    """The path, with its code, by which a browser comes in once with that token."""
    code, now = secrets.token_urlsafe(32), store.now()
    await store.create_login_link(_digest(code), token_id, until=now + LINK_FOR, now=now)
    return f"{PATH}?code={code}"


async def local_link(store: Store) -> str:
    """As `link_for`, for who opens the database itself, and so may do everything: with a token of that machine, of
    which nobody has the secret."""
    return await link_for(store, (await _local_token(store)).id)


async def begin(store: Store, code: str) -> Session:
    """The session that begins by a link; raises NotAuthenticated where that is used up or too old."""
    cookie, now = secrets.token_urlsafe(32), store.now()
    token = await store.begin_session(_digest(code), _digest(cookie), until=now + SESSION_FOR, now=now)
    if token is None:
        raise NotAuthenticated("this link was used before, or is too old. `flowsource dashboard` makes another.")
    return Session(cookie, token)


async def session_of(store: Store, cookie: str) -> Session:
    """The session of that cookie, which goes on from now; raises NotAuthenticated where there is none."""
    now = store.now()
    token = await store.use_session(_digest(cookie), until=now + SESSION_FOR, now=now)
    if token is None:
        raise NotAuthenticated("the session is over. `flowsource dashboard` makes a link to another.")
    return Session(cookie, token)


async def end(store: Store, cookie: str) -> None:
    """End the session of that cookie."""
    await store.end_session(_digest(cookie))


async def _local_token(store: Store) -> Token:
    now = store.now()
    for token in await store.tokens():
        if token.name == LOCAL and token.is_good(now):
            return token
    try:
        new = Token(id=uuid4(), name=LOCAL, scopes=("admin",), created_at=now)
        return await store.create_token(new, digest_of(new_secret()))
    except InConflict:
        return await _local_token(store)  # Another process was faster.


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
