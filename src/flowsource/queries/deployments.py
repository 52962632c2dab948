"""Queries for deployments: the keys there are, and what each of them means."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, tzinfo
from uuid import UUID

from flowsource.deployments import Deployment
from flowsource.queries.kinds import FLAG, PATTERN, Clock, Keys, digits
from flowsource.queries.matching import Looks, fits, holds, is_within
from flowsource.queries.parsing import parse
from flowsource.queries.terms import WORDS, Pattern, Query

KEYS: Keys = {
    "name": PATTERN,
    "flow": PATTERN,
    "tag": PATTERN,
    "paused": FLAG,
    "served": FLAG,
    "source": PATTERN,
    "revision": digits("a commit, or of another revision"),
}


def parse_deployments(text: str, *, now: datetime, zone: tzinfo | None = UTC) -> Query:
    """The query for deployments that `text` is; raises InvalidQuery with all that is wrong."""
    return parse(text, KEYS, Clock(now, zone))


def matches(query: Query, deployment: Deployment, *, served: Collection[UUID]) -> bool:
    """Whether `deployment` is one that `query` asks for; `served` are those that a live server carries."""
    return holds(query, (deployment, deployment.id in served), _LOOKS)


def _has_revision(value: Pattern, deployment: Deployment) -> bool:
    revision = deployment.active
    return revision.id.startswith(value[0]) or (revision.commit or "").startswith(value[0])


# Each of a deployment, and whether it is served.
_LOOKS: Looks[tuple[Deployment, bool]] = {
    WORDS: lambda value, of: is_within(value, of[0].full_name, of[0].description or ""),
    "name": lambda value, of: fits(value, of[0].full_name) or fits(value, of[0].declared.name),
    "flow": lambda value, of: fits(value, of[0].flow),
    "tag": lambda value, of: any(fits(value, tag) for tag in of[0].declared.tags),
    "paused": lambda value, of: of[0].paused == (value == ("yes",)),
    "served": lambda value, of: of[1] == (value == ("yes",)),
    "source": lambda value, of: fits(value, of[0].declared.source_label),
    "revision": lambda value, of: _has_revision(value, of[0]),
}
