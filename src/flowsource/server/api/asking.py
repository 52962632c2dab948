"""What several requests come with: queries, and keys that tell one request from another."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Header
from fastapi import Query as Parameter

from flowsource.errors import InvalidInput
from flowsource.queries.terms import Query

LONGEST_QUERY = 2000
QueryText = Annotated[
    str,
    Parameter(
        alias="query",
        max_length=LONGEST_QUERY,
        description="What they are like, such as `state:failed tag:etl after:2d`. Days are those of UTC.",
    ),
]


IdempotencyKey = Annotated[str | None, Header(max_length=200, description="Asked again with it, the run is the same.")]


class Parse(Protocol):
    """Reads a query for things of one kind; raises InvalidQuery."""

    def __call__(self, text: str, *, now: datetime) -> Query: ...


def parsed_for_act(text: str, parse: Parse, *, now: datetime) -> Query:
    """The query of what is done to all that it asks for; raises InvalidInput where it leaves nothing out."""
    query = parse(text, now=now)
    if not query.terms:
        raise InvalidInput("query: it asks for all there is; say which are meant, such as state:running.")
    return query
