"""Is everything all right? Every deployment with its code, its next run and its last ones; before them what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from flowsource.cli.planned import next_instants
from flowsource.cli.source_names import follows
from flowsource.deployments import Deployment
from flowsource.queries.deployments import parse_deployments
from flowsource.runs import RunState
from flowsource.server.access import TheStore
from flowsource.server.pages.attention import attention
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import commit_link, deployment_path, quoted
from flowsource.server.pages.marks import Mark, deployment_mark
from flowsource.server.pages.showing import page
from flowsource.server.pages.strips import Bar, strip
from flowsource.store.values import KnownSource, RunGlimpse

router = APIRouter(include_in_schema=False)

_AT_ONCE = 100
_LAST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    of: Deployment
    mark: Mark
    path: str
    quoted: str
    link: str | None
    next_at: datetime | None
    otherwise: str
    runs: Sequence[Bar]


@router.get("/")
async def show_overview(
    request: Request, store: TheStore, token: Visitor, cursor: str | None = None, query: str = ""
) -> Response:
    """The first page."""
    now = store.now()
    found = await store.find_deployments(parse_deployments(query, now=now), cursor=cursor, limit=_AT_ONCE, now=now)
    sources = await store.sources(now=now)
    latest = await store.latest_runs([one.id for one in found.items], each=_LAST)
    instants = await next_instants(store, found.items, now)
    lost = await store.runs(states=[RunState.LOST], limit=_LAST)
    return page(
        request,
        "overview.html",
        title="Overview",
        token=token,
        twin="/overview",
        rows=[_row(one, sources, instants, latest[one.id], now) for one in found.items],
        next=found.cursor,
        query=query,
        attention=attention(found.items, sources, lost, latest),
        told=_told(found.items, sources),
    )


def _row(
    deployment: Deployment,
    sources: Sequence[KnownSource],
    instants: Mapping[UUID, datetime],
    runs: Sequence[RunGlimpse],
    now: datetime,
) -> _Row:
    address = next((source.report.address for source in sources if follows(deployment, source)), None)
    return _Row(
        of=deployment,
        mark=deployment_mark(deployment),
        path=deployment_path(deployment.full_name),
        quoted=quoted(deployment.full_name),
        link=commit_link(address, deployment.active.commit or deployment.active.id),
        next_at=instants.get(deployment.id),
        otherwise=_otherwise(deployment),
        runs=strip(runs, now=now),
    )


def _otherwise(deployment: Deployment) -> str:
    if deployment.paused:
        return "paused"
    return "on events" if deployment.declared.triggers else "on request"


def _told(deployments: Sequence[Deployment], sources: Sequence[KnownSource]) -> str:
    followed = sum(source.is_served for source in sources)
    return f"{_counted(len(deployments), 'deployment')} of {_counted(followed, 'source')}"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
