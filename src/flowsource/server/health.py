"""Whether the server lives, whether it can work, and whether what it serves is fresh: three questions."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from flowsource.errors import StoreError
from flowsource.server.access import Anybody, Shown, TheStore
from flowsource.server.api.answers import answer
from flowsource.server.standing import standing_of
from flowsource.tokens import Token

router = APIRouter(include_in_schema=False)

_LONGEST_LAG = timedelta(minutes=1)


@router.get("/healthz/live", dependencies=[Depends(Anybody())])
async def is_live() -> Response:
    """It answers; restart it when it does not."""
    return answer({"live": True})


@router.get("/healthz/ready", dependencies=[Depends(Anybody())])
async def is_ready(store: TheStore) -> Response:
    """Its store can be used; send it nothing while that is not so."""
    try:
        await store.runners()
    except StoreError:
        return answer({"ready": False}, 503)
    return answer({"ready": True})


@router.get("/healthz/fresh")
async def is_fresh(store: TheStore, _: Annotated[Token, Depends(Shown("viewer"))]) -> Response:
    """Every source that is served can be followed, and no schedule lags behind; tell somebody when that is not so."""
    standing = await standing_of(store, now=store.now())
    is_good = not standing.bad_sources and standing.lag < _LONGEST_LAG
    told = {
        "fresh": is_good,
        "sources": list(standing.bad_sources),
        "schedule_lag_seconds": standing.lag.total_seconds(),
    }
    return answer(told, 200 if is_good else 503)
