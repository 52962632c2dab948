"""Is everything all right? Every deployment with its code, its next run and its last ones; before them what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from flowsource.cli.planned import next_instants
from flowsource.cli.source_names import follows
from flowsource.deployments import Deployment
from flowsource.errors import InvalidQuery
from flowsource.queries.deployments import parse_deployments
from flowsource.runs import RunState
from flowsource.server.access import TheStore
from flowsource.server.pages.attention import BAD_ENDS, attention
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import commit_link, deployment_path, quoted
from flowsource.server.pages.marks import Mark, deployment_mark
from flowsource.server.pages.showing import page
from flowsource.server.pages.strips import strip
from flowsource.store.protocol import Store
from flowsource.store.values import KnownSource, RunGlimpse

router = APIRouter(include_in_schema=False)

# All are looked at for what needs attention, and some are shown at once.
_ALL = 10_000
_AT_ONCE = 30
_LAST = 20
# Of those that are not shown, so many of the last runs say how it went.
_FEW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    of: Deployment
    mark: Mark
    path: str
    quoted: str
    link: str | None
    next_at: datetime | None
    otherwise: str
    runs: Markup


@router.get("/")
async def show_overview(
    request: Request, store: TheStore, token: Visitor, after: str = "", query: str = ""
) -> Response:
    """The first page: deployments of a query, behind the one of that name."""
    now, problem = store.now(), None
    known: Sequence[Deployment] = ()
    try:
        known = (await store.find_deployments(parse_deployments(query, now=now), limit=_ALL, now=now)).items
    except InvalidQuery as error:
        problem = str(error)
    behind = [one for one in known if one.full_name > after]
    shown = behind[:_AT_ONCE]
    sources = await store.sources(now=now)
    latest = await store.latest_runs([one.id for one in shown], each=_LAST)
    instants = await next_instants(store, shown, now)
    # Those of people are not among what was declared.
    triggered = {one.deployment_id for one in await store.triggers([one.id for one in shown])}
    lost = await store.runs(states=[RunState.LOST], limit=_LAST)
    looked_at = latest | await _ended_badly(store, {one.id for one in known} - latest.keys())
    root = request.scope.get("root_path", "")
    return page(
        request,
        "overview.html",
        title="Overview",
        token=token,
        status=422 if problem else 200,
        twin="/overview",
        rows=[
            _row(
                one,
                sources,
                instants.get(one.id),
                _otherwise(one, has_triggers=one.id in triggered),
                strip(latest[one.id], root=root, places=_LAST, now=now),
            )
            for one in shown
        ],
        next=shown[-1].full_name if len(behind) > len(shown) else None,
        query=query,
        problem=problem,
        attention=attention(known, sources, lost, looked_at),
        told=_told(known, sources),
    )


async def _ended_badly(store: Store, others: set[UUID]) -> dict[UUID, list[RunGlimpse]]:
    """The last runs of those of `others` that have one among the newest that ended badly."""
    bad = await store.runs(states=BAD_ENDS, limit=_LAST)
    return await store.latest_runs(list({run.deployment_id for run in bad} & others), each=_FEW)


def _row(
    deployment: Deployment, sources: Sequence[KnownSource], next_at: datetime | None, otherwise: str, runs: Markup
) -> _Row:
    address = next((source.report.address for source in sources if follows(deployment, source)), None)
    return _Row(
        of=deployment,
        mark=deployment_mark(deployment),
        path=deployment_path(deployment.full_name),
        quoted=quoted(deployment.full_name),
        link=commit_link(address, deployment.active.commit or deployment.active.id),
        next_at=next_at,
        otherwise=otherwise,
        runs=runs,
    )


def _otherwise(deployment: Deployment, *, has_triggers: bool) -> str:
    if deployment.paused:
        return "paused"
    return "on events" if has_triggers else "on request"


def _told(deployments: Sequence[Deployment], sources: Sequence[KnownSource]) -> str:
    followed = sum(source.is_served for source in sources)
    return f"{_counted(len(deployments), 'deployment')} of {_counted(followed, 'source')}"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
