"""The application of the server: its doors, each behind a token."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from flowsource.server import doormat, feeds, health, metrics, pages, streams
from flowsource.server.access import Shown
from flowsource.server.api import deployments, events, logs, others, runs, schedules, sources, tokens, triggers
from flowsource.server.api.answers import answer
from flowsource.server.api.routing import API
from flowsource.server.metrics import Metrics
from flowsource.server.open_streams import Streams
from flowsource.server.problems import MEDIA_TYPE, tell_problems
from flowsource.server.store_door import StoreDoor
from flowsource.server.switchboard import Switchboard
from flowsource.store.http.client import DIGEST_HEADER, DOOR
from flowsource.store.http.wire import OUR_VERSION, TIME_HEADER
from flowsource.store.protocol import Store
from flowsource.tokens import Token

_API = (deployments, schedules, triggers, runs, logs, events, sources, others, tokens, feeds, streams)
_ALL = (*_API, doormat, health, metrics, *pages.ALL)
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, and the next step."},
        "fields": {"type": "object", "additionalProperties": {"type": "string"}},
        "words": {
            "type": "array",
            "description": "What is wrong with each word of a query.",
            "items": {
                "type": "object",
                "required": ["place", "word", "message"],
                "properties": {
                    "place": {"type": "integer", "description": "From 1."},
                    "word": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


def make_app(store: Store, switchboard: Switchboard, *, prefix: str = "") -> FastAPI:
    """The application over `store`, at the path `prefix` of wherever it is served."""
    # No pages of its own about the API: they would fetch what they show from elsewhere.
    app = FastAPI(
        title="flowsource",
        version=OUR_VERSION,
        root_path=prefix,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        routes=[route for module in _ALL for route in module.router.routes],
    )
    app.state.store = store
    app.state.streams, app.state.metrics = Streams(), Metrics()
    tell_problems(app)
    _add_document(app)
    _add_store_door(app, store, StoreDoor(store, switchboard))
    return app


def document_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application: as it is, whatever it is served as."""
    told = dict(app.openapi())
    told.pop("servers", None)
    told["info"] = {"title": "flowsource", "version": "1"}
    parts = told.setdefault("components", {})
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    parts.setdefault("schemas", {})["Problem"] = _PROBLEM
    told["security"] = [{"token": []}]
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in told["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = {"description": "What went wrong.", "content": problem}
            operation["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    return told


def _add_document(app: FastAPI) -> None:
    async def show_document(_: Annotated[Token, Depends(Shown())]) -> Response:
        """This API, as OpenAPI describes it."""
        return answer(document_of(app))

    app.add_api_route(f"{API}/openapi.json", show_document, methods=["GET"], include_in_schema=False)


def _add_store_door(app: FastAPI, store: Store, door: StoreDoor) -> None:
    async def ask(name: str, request: Request, token: Annotated[Token, Depends(Shown())]) -> Response:
        """One method of the store, for other processes of flowsource."""
        digest = request.headers.get(DIGEST_HEADER, "")
        told = await door.answer(token, name, await request.body(), digest)
        app.state.metrics.calls.labels(name).inc()
        time = {TIME_HEADER: store.now().isoformat()}
        return Response(json.dumps(told), media_type="application/json", headers=time)

    app.add_api_route(f"{DOOR}/{{name}}", ask, methods=["POST"], include_in_schema=False)
