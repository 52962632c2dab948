"""Who asks, as a dependency of a route: no route is without one."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from flowsource.errors import NotAllowed
from flowsource.server.authentication import token_of_digest, token_shown
from flowsource.server.sessions import COOKIE, Sessions
from flowsource.store.protocol import Store
from flowsource.tokens import Scope, Token

_SAFE = ("GET", "HEAD")
CSRF_HEADER = "x-csrf-token"


def the_store(request: Request) -> Store:
    """The store that is served."""
    return cast(Store, request.app.state.store)


def the_sessions(request: Request) -> Sessions:
    """The sessions of browsers."""
    return cast(Sessions, request.app.state.sessions)


TheStore = Annotated[Store, Depends(the_store)]
TheSessions = Annotated[Sessions, Depends(the_sessions)]


class Shown:
    """Gives the token that a request shows, or that its session began with.

    Raises NotAuthenticated without one, NotAllowed where it is not for `scope`. Without a scope any will do, and
    whoever asks decides further.
    """

    def __init__(self, scope: Scope | None = None) -> None:
        self._scope: Scope | None = scope

    async def __call__(self, request: Request) -> Token:
        """The token of this request."""
        token = await self._token(request)
        if self._scope is not None and not token.may(self._scope):
            held = ", ".join(token.scopes)
            raise NotAllowed(f"the token {token.name!r} ({held}) is not for this, which needs {self._scope}.")
        return token

    async def _token(self, request: Request) -> Token:
        store = the_store(request)
        if "authorization" in request.headers or COOKIE not in request.cookies:
            token, request.state.digest = await token_shown(store, request.headers)
            return token
        session = the_sessions(request).of(request.cookies[COOKIE])
        # A cookie comes along with what a page of somebody else sends as well; this does not.
        if request.method not in _SAFE and not session.is_csrf(request.headers.get(CSRF_HEADER, "")):
            raise NotAllowed(f"the header {CSRF_HEADER} is missing or wrong: reload the page.")
        request.state.csrf, request.state.digest = session.csrf, session.digest
        return await token_of_digest(store, session.digest)


class Anybody:
    """Marks a route that wants no token, so that none lacks one by mistake."""

    async def __call__(self) -> None:
        """Everybody may."""
