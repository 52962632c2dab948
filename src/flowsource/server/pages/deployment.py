"""What is served, from where, at which commit? One deployment, with all that a person does about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from flowsource.cli.history import about_entry
from flowsource.cli.source_names import follows
from flowsource.deployments import Deployment
from flowsource.errors import InvalidSchedule, NotFound
from flowsource.promotions import HistoryEntry, revision_before
from flowsource.queries.terms import Query
from flowsource.revisions import Revision
from flowsource.runs import Run
from flowsource.schedules import upcoming
from flowsource.server.access import TheStore
from flowsource.server.pages.durations import plot
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import commit_link, deployment_path, quoted
from flowsource.server.pages.marks import HELD, READY, REJECTED, deployment_mark
from flowsource.server.pages.showing import page
from flowsource.store.protocol import Store
from flowsource.store.values import COUNTED, ScheduleState

router = APIRouter(include_in_schema=False)

_LAST = 60
_HISTORY = 30
_INSTANTS = 3
_FIRINGS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schedule:
    key: str
    said: str
    parameters: str
    next: Sequence[datetime]
    is_held: bool
    active: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    seq: int
    at: datetime
    what: str
    revision: Revision | None
    link: str | None
    by: str | None
    about: str
    can_serve: bool


@router.get("/deployments/{flow}/{name}")
async def show_deployment_page(
    request: Request, store: TheStore, token: Visitor, flow: str, name: str, like: UUID | None = None
) -> Response:
    """One deployment; its form for a run has the parameters of the run `like`."""
    now = store.now()
    deployment = await store.deployment(f"{flow}/{name}")
    history = await store.history(deployment.id, limit=_HISTORY)
    latest = await store.latest_runs([deployment.id], each=_LAST)
    schedules = await store.schedules([deployment.id])
    sources = await store.sources(now=now)
    address = next((source.report.address for source in sources if follows(deployment, source)), None)
    refused = [block.revision for block in deployment.blocked]
    runs = await store.runs(deployment_id=deployment.id, limit=1)
    taken = await store.run(str(like)) if like is not None else None
    if taken is not None and taken.deployment_id != deployment.id:
        raise NotFound(f"{taken.name} is no run of {deployment.full_name}.")
    is_served = deployment.id in await store.served(now=now)
    return page(
        request,
        "deployment.html",
        title=deployment.full_name,
        token=token,
        of=deployment,
        state=deployment_mark(deployment),
        held_mark=HELD,
        ready_mark=READY,
        rejected_mark=REJECTED,
        quoted=quoted(deployment.full_name),
        twin=deployment_path(deployment.full_name),
        links=_links(deployment, address),
        can_roll_back=revision_before(history, deployment.active, refused) is not None,
        schema=dict(deployment.facts.parameter_schema),
        usual=dict(deployment.declared.parameters),
        like=taken,
        last=_last([taken] if taken is not None else runs),
        is_served=is_served,
        said_runs="" if is_served else await _said_runs(store, deployment),
        schedules=[_schedule(one, now) for one in schedules],
        triggers=await store.triggers([deployment.id]),
        firings=await store.firings(deployment.id, limit=_FIRINGS),
        plot=plot(latest[deployment.id], now=now),
        history=[_entry(entry, deployment, address) for entry in history],
    )


def _links(deployment: Deployment, address: str | None) -> dict[str, str | None]:
    def link(revision: Revision | None) -> str | None:
        return commit_link(address, revision.commit or revision.id) if revision is not None else None

    return {
        "active": link(deployment.active),
        "rejected": link(deployment.rejected.revision if deployment.rejected else None),
        "held": link(deployment.held.loaded.revision if deployment.held else None),
    }


def _last(runs: Sequence[Run]) -> dict[str, Any] | None:
    return dict(runs[0].parameters) if runs else None


async def _said_runs(store: Store, deployment: Deployment) -> str:
    count = await store.count_runs(Query().with_term("deployment", deployment.full_name))
    # Counting ends there.
    more = " or more" if count >= COUNTED else ""
    return "1 run" if count == 1 else f"{count}{more} runs"


def _schedule(one: ScheduleState, now: datetime) -> _Schedule:
    try:
        instants = [] if one.is_held else upcoming(one.schedule, now=now, count=_INSTANTS)
    except InvalidSchedule:
        instants = []  # Such as one in a zone that is not known here.
    given = dict(one.schedule.parameters)
    return _Schedule(
        key=one.key,
        said=one.schedule.describe(),
        parameters=json.dumps(given, ensure_ascii=False) if given else "",
        next=instants,
        is_held=one.is_held,
        active=one.schedule.active,
        by=one.added_by or "the code",
    )


def _entry(entry: HistoryEntry, deployment: Deployment, address: str | None) -> _Entry:
    revision = entry.revision
    return _Entry(
        seq=entry.seq,
        at=entry.at,
        what=entry.kind.replace("_", " "),
        revision=revision,
        link=commit_link(address, revision.commit or revision.id) if revision is not None else None,
        by=entry.by,
        about=about_entry(entry),
        can_serve=revision is not None and entry.kind == "promoted" and revision != deployment.active,
    )
