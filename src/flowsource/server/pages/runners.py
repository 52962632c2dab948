"""Who executes runs, and where? Each runner, with what it serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from flowsource.server.access import TheStore
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import deployment_path
from flowsource.server.pages.marks import Mark
from flowsource.server.pages.showing import page
from flowsource.store.values import KnownRunner

router = APIRouter(include_in_schema=False)

_SHOWN = 10
_ALIVE = Mark("✔", "alive", "good")
_OUT_OF_SIGHT = Mark("?", "out of sight", "warn", "its lease has ended; its runs are lost until it is back")


@dataclass(frozen=True, slots=True)
class _Runner:
    of: KnownRunner
    mark: Mark
    serves: Sequence[tuple[str, str]]
    more: int


@router.get("/runners")
async def show_runners(request: Request, store: TheStore, token: Visitor) -> Response:
    """All runners."""
    now = store.now()
    runners = [_runner(one, now) for one in await store.runners()]
    return page(request, "runners.html", title="Runners", token=token, twin="/runners", runners=runners)


def _runner(one: KnownRunner, now: datetime) -> _Runner:
    return _Runner(
        one,
        _ALIVE if one.lease_until >= now else _OUT_OF_SIGHT,
        [(name, deployment_path(name)) for name in one.deployments[:_SHOWN]],
        max(len(one.deployments) - _SHOWN, 0),
    )
