"""How a browser comes in: by a link that works once, for a cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from flowsource import logins
from flowsource.logins import PATH, SESSION_FOR
from flowsource.server.access import Anybody, Shown, TheStore, cookie_of
from flowsource.server.api.answers import answer
from flowsource.tokens import Token

router = APIRouter(include_in_schema=False)

Code = Annotated[str, Query(max_length=100)]


@router.get(PATH, dependencies=[Depends(Anybody())])
async def begin_session(request: Request, store: TheStore, code: Code) -> Response:
    """Begin a session, and go to where it leads."""
    root = request.scope.get("root_path", "")
    leading = RedirectResponse(f"{root}/", status_code=303)
    leading.set_cookie(
        cookie_of(request),
        (await logins.begin(store, code)).cookie,
        max_age=int(SESSION_FOR.total_seconds()),
        path=f"{root}/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )
    return leading


@router.post(f"{PATH}/links")
async def make_link(request: Request, store: TheStore, token: Annotated[Token, Depends(Shown())]) -> Response:
    """A link by which a browser comes in with the token that is shown."""
    path = await logins.link_for(store, token.id)
    return answer({"path": f"{request.scope.get('root_path', '')}{path}"}, 201)


@router.post(f"{PATH}/end")
async def end_session(request: Request, store: TheStore, _: Annotated[Token, Depends(Shown())]) -> Response:
    """End the session of the cookie that is shown."""
    await logins.end(store, request.cookies.get(cookie_of(request), ""))
    done = Response(status_code=204)
    done.delete_cookie(cookie_of(request), path=f"{request.scope.get('root_path', '')}/")
    return done
