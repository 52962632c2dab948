"""Routers of the API, each of whose routes has its whole path.

The application takes the routes as they are. What is included by way of a router is made once more for each
application, all of it, when its first request comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.routing import APIRoute

API = "/api/v1"


def api_router(path: str = "", *, tags: Sequence[str] = ()) -> APIRouter:
    """A router for what is at `path` of the API, and has these `tags` in its document."""
    return APIRouter(prefix=f"{API}{path}", tags=list(tags), generate_unique_id_function=_name_of)


def _name_of(route: APIRoute) -> str:
    return route.name
