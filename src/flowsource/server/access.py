"""The token as a dependency of a route: no route is without one."""

from __future__ import annotations

from fastapi import Request

from flowsource.errors import NotAllowed
from flowsource.server.authentication import token_shown
from flowsource.tokens import Scope, Token


class Shown:
    """Gives the token that a request shows; raises NotAuthenticated without one, NotAllowed where it is not for
    `scope`. Without a scope any will do, and whoever asks for it decides further."""

    def __init__(self, scope: Scope | None = None) -> None:
        self._scope: Scope | None = scope

    async def __call__(self, request: Request) -> Token:
        """The token of this request."""
        token = await token_shown(request.app.state.store, request.headers)
        if self._scope is not None and not token.may(self._scope):
            held = ", ".join(token.scopes)
            raise NotAllowed(f"the token {token.name!r} ({held}) is not for this, which needs {self._scope}.")
        return token
