"""What is this run doing, and why did it fail? All that is known of it, with its log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from flowsource.cli.life import Branch, life_of
from flowsource.cli.source_names import follows
from flowsource.cli.times import duration
from flowsource.runs import Run, Transition
from flowsource.server.access import TheStore
from flowsource.server.pages.causes import because
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.links import commit_link, deployment_path, diff_link
from flowsource.server.pages.marks import run_mark
from flowsource.server.pages.showing import page

router = APIRouter(include_in_schema=False)

_WIDTH = 1000


@dataclass(frozen=True, slots=True)
class _Phase:
    x: float
    width: float
    tone: str
    took: str
    title: str


@router.get("/runs/{run_id}")
async def show_run_page(request: Request, store: TheStore, token: Visitor, run_id: UUID) -> Response:
    """One run."""
    now = store.now()
    life = await life_of(store, await store.run(str(run_id)))
    run = life.run
    deployment = await store.deployment(run.deployment)
    sources = await store.sources(now=now)
    address = next((source.report.address for source in sources if follows(deployment, source)), None)
    parts = phases(life.steps, now=now)
    newer = deployment.active if run.revision is not None and deployment.active != run.revision else None
    return page(
        request,
        "run.html",
        title=run.name,
        token=token,
        run=run,
        path=deployment_path(run.deployment),
        attempts=life.attempts,
        steps=list(zip(life.steps, parts, strict=True)),
        phases=parts,
        children=list(_listed(life.children)),
        parent=await store.run(str(run.parent_id)) if run.parent_id is not None else None,
        because=because(run, await store.schedules([run.deployment_id])),
        twin=f"/runs/{run.id}",
        link=commit_link(address, run.revision.commit or run.revision.id) if run.revision is not None else None,
        newer=newer,
        newer_link=commit_link(address, newer.commit or newer.id) if newer is not None else None,
        diff_link=diff_link(address, run.revision, newer),
    )


def phases(steps: Sequence[Transition], *, now: datetime) -> list[_Phase]:
    """How long it was in each of its states, as parts of one bar."""
    if not steps:
        return []
    ends = [step.at for step in steps[1:]] + [steps[-1].at if steps[-1].state.is_final else now]
    begin, span = steps[0].at, max((ends[-1] - steps[0].at).total_seconds(), 0.001)
    found = []
    for step, end in zip(steps, ends, strict=True):
        length = max(end - step.at, timedelta())
        mark = run_mark(step.state)
        x = _WIDTH * (step.at - begin).total_seconds() / span
        width = _WIDTH * length.total_seconds() / span
        took = duration(length)
        found.append(_Phase(round(x, 1), round(width, 1), mark.tone, took, f"{mark.word}: {took}"))
    return found


def _listed(branches: Sequence[Branch], depth: int = 0) -> Iterator[tuple[int, Run]]:
    for branch in branches:
        yield depth, branch.run
        yield from _listed(branch.children, depth + 1)
