"""Sources over the API: how they are, and what is wanted of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path
from starlette.responses import Response

from flowsource.cli.source_names import follows
from flowsource.cli.source_words import source_json
from flowsource.errors import SourceNotFound
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import models
from flowsource.server.api.answers import Cursor, Limit, answer, behind, page, told
from flowsource.server.api.routing import api_router
from flowsource.store.protocol import Store
from flowsource.store.values import KnownSource
from flowsource.tokens import Token

router = api_router("/sources", tags=["sources"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
Operator = Annotated[Token, Depends(Shown("operator"))]
Key = Annotated[str, Path(max_length=200, description="The `key` of the source.")]


@router.get("", responses=told(models.Page[models.Source]))
async def list_sources(store: TheStore, _: Viewer, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """All sources that were ever served, by key."""
    known = sorted(await store.sources(now=store.now()), key=_place)
    found = behind(known, cursor, _place)
    return page(found, limit, await _shape(store), _place)


@router.post("/{key}/pause", responses=told(list[models.Source]))
async def pause_source(store: TheStore, _: Operator, key: Key) -> Response:
    """Have nothing new looked for until it is resumed."""
    return await _set_paused(store, key, True)


@router.post("/{key}/resume", responses=told(list[models.Source]))
async def resume_source(store: TheStore, _: Operator, key: Key) -> Response:
    """Have what is new looked for again."""
    return await _set_paused(store, key, False)


@router.post("/{key}/sync", responses=told(list[models.Source]))
async def sync_source(store: TheStore, _: Operator, key: Key) -> Response:
    """Have something new looked for now, by whoever serves it."""
    await _of_key(store, key)
    await store.hint_sources([key])
    return answer(list(map(await _shape(store), await _of_key(store, key))))


async def _set_paused(store: Store, key: str, paused: bool) -> Response:
    await _of_key(store, key)
    await store.set_source_paused(key, paused, now=store.now())
    return answer(list(map(await _shape(store), await _of_key(store, key))))


async def _of_key(store: Store, key: str) -> list[KnownSource]:
    known = await store.sources(now=store.now())
    if not (found := [one for one in known if one.report.key == key]):
        raise SourceNotFound(key, [one.report.status.label for one in known])
    return found


async def _shape(store: Store) -> Callable[[KnownSource], dict[str, Any]]:
    deployments = await store.deployments()

    def shape(one: KnownSource) -> dict[str, Any]:
        return source_json(one, [found for found in deployments if follows(found, one)])

    return shape


def _place(one: KnownSource) -> str:
    return f"{one.report.key} {one.report.selector}"
