"""Every route there is: it wants a token, and one that is for it."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from uuid import uuid4

import httpx
import pytest

from flowsource.server.access import Anybody, Shown
from flowsource.server.app import document_of
from flowsource.tokens import SCOPES, Scope
from tests.server.routes import app, cookie_at, routes
from tests.server.serving import Served
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

FOR_ANYBODY = {"/healthz/live", "/healthz/ready", "/session", "/static/{digest}/{name}"}
# What any token may ask for: what is told then is that one's own.
FOR_ANY_TOKEN = {"/api/v1/me", "/api/v1/openapi.json", "/session/links", "/session/end", "/api/store/{name}"}


@cache
def all_routes() -> list[tuple[str, str]]:
    """Every method and path."""
    # As the document has them.
    return [(method, one.path.replace(":path}", "}")) for one in routes() for method in sorted(one.methods or ())]


def at(path: str) -> str:
    """`path` with something in the place of what varies."""
    return re.sub(r"{[^}]*}", str(uuid4()), path)


def who_may(method: str, path: str) -> set[str]:
    """The scopes that are for a route: whoever looks may look, whoever acts must be an operator."""
    if path in FOR_ANY_TOKEN:
        return set(SCOPES)
    if path.startswith(("/api/v1/tokens", "/tokens")):
        return {"admin"}
    return {"operator", "admin"} if method in ("POST", "DELETE") else {"viewer", "operator", "admin"}


def test_every_route_wants_a_token_or_says_that_it_wants_none() -> None:
    kinds = {
        route.name: [type(one.call) for one in route.dependant.dependencies if isinstance(one.call, Shown | Anybody)]
        for route in routes()
    }

    assert all(len(found) == 1 for found in kinds.values()), kinds
    assert {name for name, found in kinds.items() if found == [Anybody]} == {
        *("is_live", "is_ready", "begin_session", "show_asset"),
    }
    documented = {told["operationId"] for path in document_of(app())["paths"].values() for told in path.values()}
    assert documented < kinds.keys()


def test_every_operation_of_the_document_is_a_route_that_is_looked_at_here() -> None:
    documented = {(method.upper(), path) for path, told in document_of(app())["paths"].items() for method in told}

    assert documented < set(all_routes())
    assert {path for _, path in all_routes()} > {"/metrics", "/healthz/fresh", "/session/end", "/api/store/{name}"}


async def test_no_route_answers_without_a_token(server: Served) -> None:
    nothing: list[dict[str, str]] = [
        {},
        {"authorization": f"Bearer fs_{'x' * 43}"},
        {"cookie": f"{cookie_at(server.url)}=x"},
    ]
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as stranger:
        for headers, (method, path) in product(nothing, all_routes()):
            if path not in FOR_ANYBODY:
                answer = await stranger.request(method, at(path), headers=headers, json={})
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_route_lets_in_those_scopes_alone_that_it_is_for(server: Served, scope: Scope) -> None:
    shown = {"authorization": f"Bearer {await server.token('eve', scope)}"}
    async with httpx.AsyncClient(base_url=server.url, headers=shown, timeout=PATIENCE) as eve:
        for method, path in all_routes():
            if path in FOR_ANYBODY:
                continue
            # Of a stream, which goes on, the beginning is enough.
            async with eve.stream(method, at(path), json={}) as answer:
                # The door to the store decides by what it is asked for.
                if path == "/api/store/{name}":
                    continue
                assert (answer.status_code != 403) == (scope in who_may(method, path)), (method, path)
