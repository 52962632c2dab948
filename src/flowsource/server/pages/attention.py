"""What needs a person: said in words, the worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from flowsource.deployments import Deployment, Rejection
from flowsource.runs import Run, RunState
from flowsource.server.pages.links import deployment_path
from flowsource.server.pages.marks import REJECTED, Mark, deployment_mark, run_mark, source_mark
from flowsource.source_status import SourceState
from flowsource.store.values import KnownSource, RunGlimpse

_TROUBLE = (SourceState.DEGRADED, SourceState.AUTH_FAILED, SourceState.MISSING)
BAD_ENDS = (RunState.FAILED, RunState.CRASHED, RunState.TIMED_OUT)
_NAMED = 3


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
        *_of_rejections(deployments),
        *(told for deployment in deployments for told in _of_held(deployment)),
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


def _of_rejections(deployments: Sequence[Deployment]) -> Iterator[Attention]:
    """One for each revision that does not load, however many deployments follow it."""
    keeping: dict[tuple[str, str], list[tuple[Deployment, Rejection]]] = defaultdict(list)
    for deployment in deployments:
        if (rejected := deployment.rejected) is not None:
            keeping[deployment.declared.source_key, rejected.revision.id].append((deployment, rejected))
    for (_, revision), told in keeping.items():
        first, rejected = told[0]
        short, path = rejected.revision.short, deployment_path(first.full_name)
        if len(told) == 1:
            text = f"keeps serving {first.active.short}: {short} does not load ({rejected.message})"
            yield Attention(f"deployment-{first.id}", REJECTED, path, first.full_name, text)
            continue
        name = f"{short} {rejected.revision.subject or ''}".rstrip()
        names = [each.full_name for each, _ in told]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        text = f"does not load ({rejected.message}); what served before goes on: {', '.join(names[:_NAMED])}{more}"
        yield Attention(f"revision-{revision}", REJECTED, path, name, text)


def _of_held(deployment: Deployment) -> Iterator[Attention]:
    if (held := deployment.held) is not None and deployment.rejected is None:
        path, name = deployment_path(deployment.full_name), deployment.full_name
        text = f"keeps serving {deployment.active.short}: {held.loaded.revision.short} changes its dependencies"
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
    if ended and (last := ended[-1]).state in BAD_ENDS:
        text = f"was the last run of {deployment.full_name}"
        yield Attention(f"run-{last.id}", run_mark(last.state), f"/runs/{last.id}", last.name, text)
