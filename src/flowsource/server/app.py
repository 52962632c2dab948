"""The application of the server: its doors, each behind a token."""

from __future__ import annotations

import json

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from flowsource.server.access import Shown
from flowsource.server.problems import tell_problems
from flowsource.server.store_door import StoreDoor
from flowsource.server.switchboard import Switchboard
from flowsource.store.http.client import DIGEST_HEADER, DOOR
from flowsource.store.protocol import Store
from flowsource.tokens import Token


def make_app(store: Store, switchboard: Switchboard, *, prefix: str = "") -> FastAPI:
    """The application over `store`, at the path `prefix` of wherever it is served."""
    # No pages of its own about the API: they would fetch what they show from elsewhere.
    app = FastAPI(title="flowsource", root_path=prefix, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.store = store
    tell_problems(app)
    _add_store_door(app, StoreDoor(store, switchboard))
    return app


def _add_store_door(app: FastAPI, door: StoreDoor) -> None:
    async def ask(name: str, request: Request, token: Token = Depends(Shown())) -> Response:
        """One method of the store, for other processes of flowsource."""
        digest = request.headers.get(DIGEST_HEADER, "")
        answer = await door.answer(token, name, await request.body(), digest)
        return Response(json.dumps(answer), media_type="application/json")

    app.add_api_route(f"{DOOR}/{{name}}", ask, methods=["POST"], include_in_schema=False)
