"""Finding deployments by a query, in the order of their names, a page at a time."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from datetime import datetime

from sqlalchemy import Connection

from flowsource.deployments import Deployment
from flowsource.errors import InvalidInput
from flowsource.queries.deployments import KEYS, matches
from flowsource.queries.parsing import check
from flowsource.queries.terms import Query
from flowsource.store import presence, registering
from flowsource.store.values import Page

_CURSOR = "d1."


def find(connection: Connection, query: Query, *, cursor: str | None, limit: int, now: datetime) -> Page[Deployment]:
    """A page of the deployments that `query` asks for, behind that of `cursor`."""
    check(query, KEYS)
    after = "" if cursor is None else _name_in(cursor)
    served = presence.served(connection, now=now)
    # There are few, and each is told whole anyway.
    found = [
        deployment
        for deployment in registering.all_deployments(connection)
        if deployment.full_name > after and matches(query, deployment, served=served)
    ]
    page = tuple(found[:limit])
    return Page(page, _cursor_at(page[-1].full_name) if len(found) > limit and page else None)


def _cursor_at(name: str) -> str:
    return f"{_CURSOR}{urlsafe_b64encode(name.encode()).decode()}"


def _name_in(cursor: str) -> str:
    try:
        if cursor.startswith(_CURSOR):
            return b64decode(cursor.removeprefix(_CURSOR).encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        pass
    raise InvalidInput(f"cursor: {cursor!r} was not given with a page of deployments. Leave it out to begin anew.")
