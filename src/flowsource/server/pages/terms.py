"""What the query box offers while somebody writes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from flowsource.deployments import Deployment
from flowsource.queries.deployments import parse_deployments
from flowsource.server.access import TheStore
from flowsource.server.api.answers import answer
from flowsource.server.api.asking import LONGEST_QUERY
from flowsource.server.pages.completion import MOST, completions, word_at_end, written
from flowsource.server.pages.entry import Visitor
from flowsource.store.protocol import Store

router = APIRouter(include_in_schema=False)

# The keys of which the values are those of deployments, with the key of deployments that finds them.
_KEYS = {"deployment": "name", "flow": "flow", "tag": "tag"}


@router.get("/completions")
async def show_completions(
    store: TheStore, _: Visitor, query: Annotated[str, Query(max_length=LONGEST_QUERY)] = ""
) -> Response:
    """Queries that a query may become, as `items`."""
    return answer({"items": completions(query, await _known(store, query))})


async def _known(store: Store, query: str) -> Mapping[str, Sequence[str]]:
    word = word_at_end(query)
    if word.key not in _KEYS:
        return {}
    now = store.now()
    asked = f"{_KEYS[word.key]}:{written(word.begun)}*" if word.begun else ""
    found = await store.find_deployments(parse_deployments(asked, now=now), cursor=None, limit=MOST, now=now)
    return {word.key: [value for one in found.items for value in _values(word.key, one)]}


def _values(key: str, of: Deployment) -> Sequence[str]:
    if key == "tag":
        return of.declared.tags
    return [of.flow] if key == "flow" else [of.full_name, of.declared.name]
