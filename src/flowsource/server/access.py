"""Who asks, as a dependency of a route: no route is without one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, cast

from fastapi import Depends, Request

from flowsource.addresses import is_loopback
from flowsource.errors import NotAllowed
from flowsource.logins import session_of
from flowsource.server.authentication import token_of_digest, token_shown
from flowsource.store.protocol import Store
from flowsource.tokens import Scope, Token

_SAFE = ("GET", "HEAD")
_COOKIE = "flowsource-session"
CSRF_HEADER = "x-csrf-token"


def the_store(request: Request) -> Store:
    """The store that is served."""
    return cast(Store, request.app.state.store)


TheStore = Annotated[Store, Depends(the_store)]


def cookie_of(request: Request) -> str:
    """The name of the cookie of sessions. Browsers give a cookie to every port of a machine, where others may serve."""
    host, port = request.url.hostname, request.url.port
    return f"{_COOKIE}-{port}" if host is not None and is_loopback(host) and port else _COOKIE


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
        cookie = request.cookies.get(cookie_of(request))
        if "authorization" in request.headers or cookie is None:
            token, digest = await token_shown(store, request.headers)
            request.state.still = partial(token_of_digest, store, digest)
            return token
        session = await session_of(store, cookie)
        # A cookie comes along with what a page of somebody else sends as well; this does not.
        if request.method not in _SAFE and not session.is_csrf(request.headers.get(CSRF_HEADER, "")):
            raise NotAllowed(f"the header {CSRF_HEADER} is missing or wrong: reload the page.")
        request.state.csrf = session.csrf
        request.state.still = partial(session_of, store, session.cookie)
        return session.token


def still_in(request: Request) -> Callable[[], Awaitable[object]]:
    """What raises NotAuthenticated once what a request showed counts no more, for answers that take long."""
    return cast(Callable[[], Awaitable[object]], request.state.still)


class Anybody:
    """Marks a route that wants no token, so that none lacks one by mistake."""

    async def __call__(self) -> None:
        """Everybody may."""
