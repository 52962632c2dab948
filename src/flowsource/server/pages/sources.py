"""Why is my push not live? Each source with its last look, stage by stage, and who serves what of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from flowsource.cli.source_names import follows
from flowsource.cli.source_words import next_try, status_of, what_helps
from flowsource.deployments import Deployment
from flowsource.server.access import TheStore
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import commit_link, deployment_path
from flowsource.server.pages.marks import Mark, deployment_mark, source_mark
from flowsource.server.pages.showing import page
from flowsource.source_status import SourceStatus
from flowsource.store.values import KnownSource

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Serves:
    of: Deployment
    mark: Mark
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    of: KnownSource
    status: SourceStatus
    mark: Mark
    quoted: str
    link: str | None
    is_paused: bool
    next_at: datetime | None
    helps: Sequence[str]
    deployments: Sequence[_Serves]


@router.get("/sources")
async def show_sources(request: Request, store: TheStore, token: Visitor) -> Response:
    """All sources that were ever served; those that are come first."""
    now = store.now()
    known, deployments = await store.sources(now=now), await store.deployments()
    ordered = sorted(known, key=lambda one: (not one.is_served, one.report.status.label))
    return page(
        request,
        "sources.html",
        title="Sources",
        token=token,
        twin="/sources",
        sources=[_source(one, [each for each in deployments if follows(each, one)], now) for one in ordered],
    )


def _source(one: KnownSource, followers: Sequence[Deployment], now: datetime) -> _Source:
    report = one.report
    return _Source(
        of=one,
        status=status_of(one),
        mark=source_mark(one),
        quoted=quote(report.key, safe=""),
        link=commit_link(report.address, report.revision.commit or report.revision.id),
        is_paused=one.wish.paused_at is not None,
        next_at=next_try(one, now),
        # Of what does not load the pages of the deployments tell: each is a link here.
        helps=what_helps(one, ()),
        deployments=[_Serves(each, deployment_mark(each), deployment_path(each.full_name)) for each in followers],
    )
