"""Who asks: a token is shown with each request, and looked up by its digest."""

from __future__ import annotations

from collections.abc import Mapping

from flowsource.errors import NotAuthenticated
from flowsource.store.protocol import Store
from flowsource.tokens import Token, digest_of, is_secret

HINT = "Give one that `flowsource server token create` made, in FLOWSOURCE_TOKEN or FLOWSOURCE_TOKEN_FILE."


async def token_shown(store: Store, headers: Mapping[str, str]) -> tuple[Token, str]:
    """The token that the headers of a request show as their bearer, with its digest; raises NotAuthenticated.

    It is looked up each time, so that one that was revoked opens nothing any more. By its digest: how long that takes
    tells nothing about a secret.
    """
    kind, _, secret = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        raise NotAuthenticated(f"this server wants a token. {HINT}")
    if not is_secret(secret := secret.strip()):
        raise NotAuthenticated(f"what was shown is no token of a flowsource server. {HINT}")
    digest = digest_of(secret)
    return await token_of_digest(store, digest), digest


async def token_of_digest(store: Store, digest: str) -> Token:
    """The token of that digest; raises NotAuthenticated where none counts."""
    token = await store.use_token(digest, now=store.now())
    if token is None:
        raise NotAuthenticated(f"the token is unknown here, has expired or was revoked. {HINT}")
    return token
