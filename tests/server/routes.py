"""The routes of the server, as the application has them."""

from __future__ import annotations

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

    return [route for route in app().routes if isinstance(route, APIRoute)]
