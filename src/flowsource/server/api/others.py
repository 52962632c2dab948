"""What else there is to know over the API: runners, and who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from flowsource.cli.json_shapes import runner_json
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import models
from flowsource.server.api.answers import Cursor, Limit, answer, behind, page, told
from flowsource.server.api.routing import api_router
from flowsource.store.values import KnownRunner
from flowsource.tokens import Token

router = api_router()

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Anybody = Annotated[Token, Depends(Shown())]


@router.get("/me", tags=["tokens"], responses=told(models.Me))
async def show_me(request: Request, token: Anybody) -> Response:
    """What the token is that was shown."""
    csrf = getattr(request.state, "csrf", None)
    return answer({"name": token.name, "scopes": list(token.scopes), "csrf": csrf})


@router.get("/runners", tags=["runners"], responses=told(models.Page[models.Runner]))
async def list_runners(store: TheStore, _: Viewer, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The runners that are registered."""
    return page(behind(await store.runners(), cursor, _place), limit, runner_json, _place)


def _place(one: KnownRunner) -> str:
    return str(one.id)
