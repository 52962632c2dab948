"""What needs a person: said in words, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from flowsource.deployments import Deployment
from flowsource.runs import Run, RunState
from flowsource.server.pages.links import deployment_path
from flowsource.server.pages.marks import Mark, deployment_mark, run_mark, source_mark
from flowsource.source_status import SourceState
from flowsource.store.values import KnownSource, RunGlimpse

_TROUBLE = (SourceState.DEGRADED, SourceState.AUTH_FAILED, SourceState.MISSING)
_BAD_ENDS = (RunState.FAILED, RunState.CRASHED, RunState.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class Attention:
    """Something to look at: where it is told (`path`), as what, and what is the matter."""

    key: str
    mark: Mark
    path: str
    name: str
    text: str


def attention(
    deployments: Sequence[Deployment],
    sources: Sequence[KnownSource],
    lost: Sequence[Run],
    latest: Mapping[UUID, Sequence[RunGlimpse]],
) -> list[Attention]:
    """All that there is."""
    return [
        *(_of_source(source) for source in sources if source.is_served and _is_in_trouble(source)),
        *(told for deployment in deployments for told in _of_deployment(deployment)),
        *(_of_lost(run) for run in lost),
        *(told for deployment in deployments for told in _of_last(deployment, latest.get(deployment.id, ()))),
    ]


def _is_in_trouble(source: KnownSource) -> bool:
    return source.wish.paused_at is None and source.report.status.state in _TROUBLE


def _of_source(source: KnownSource) -> Attention:
    status = source.report.status
    return Attention(
        f"source-{source.report.key}-{source.report.selector}",
        source_mark(source),
        "/sources",
        status.label,
        f"what was there before goes on being served: {status.reason}",
    )


def _of_deployment(deployment: Deployment) -> Iterator[Attention]:
    path, name = deployment_path(deployment.full_name), deployment.full_name
    if (rejected := deployment.rejected) is not None:
        text = f"keeps serving {deployment.active.short}: {rejected.revision.short} does not load ({rejected.message})"
    elif (held := deployment.held) is not None:
        text = f"keeps serving {deployment.active.short}: {held.loaded.revision.short} changes its dependencies"
    else:
        return
    yield Attention(f"deployment-{deployment.id}", deployment_mark(deployment), path, name, text)


def _of_lost(run: Run) -> Attention:
    return Attention(
        f"run-{run.id}",
        run_mark(run.state),
        f"/runs/{run.id}",
        run.name,
        f"of {run.deployment}: its runner is out of sight",
    )


def _of_last(deployment: Deployment, runs: Sequence[RunGlimpse]) -> Iterator[Attention]:
    ended = [run for run in runs if run.state.is_final]
    if ended and (last := ended[-1]).state in _BAD_ENDS:
        text = f"was the last run of {deployment.full_name}"
        yield Attention(f"run-{last.id}", run_mark(last.state), f"/runs/{last.id}", last.name, text)
