"""The routes of the server, as the application has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from fastapi.routing import APIRoute

from flowsource.server.app import make_app
from flowsource.server.switchboard import Switchboard


def app(store: Any = None) -> Any:
    """The application, over nothing unless there is a store."""
    return make_app(store, Switchboard(store))


def cookie_at(url: str) -> str:
    """The name of the cookie of sessions at `url`."""
    return f"flowsource-session-{urlsplit(url).port}"


def routes() -> list[APIRoute]:
    """All of its routes, also those that its document leaves out."""

    def below(found: Any) -> Iterator[APIRoute]:
        for route in found:
            if isinstance(route, APIRoute):
                yield route
            else:
                # What was included is behind a router of its own.
                yield from below(route.original_router.routes)

    return list(below(app().routes))
