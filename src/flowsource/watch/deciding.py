"""What is to be done about a deployment and its candidate: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from flowsource.deployments import Deployment
from flowsource.snapshots.snapshot import Snapshot
from flowsource.standing import is_older


@dataclass(frozen=True, slots=True)
class Candidate:
    """A snapshot that may serve, and when its source was asked for it."""

    snapshot: Snapshot
    seen_at: datetime


class Task(Enum):
    """What a promoter does next."""

    CARRY_OUT_WISH = auto()
    DECIDE_ON_CANDIDATE = auto()


def next_task(deployment: Deployment, candidate: Candidate | None, *, now: datetime) -> Task | None:
    """The first thing to be done, if any: what a person wants comes before what was pushed."""
    if deployment.is_wish_open:
        return Task.CARRY_OUT_WISH
    if candidate is None or _is_decided(deployment, candidate, now=now):
        return None
    return Task.DECIDE_ON_CANDIDATE


def _is_decided(deployment: Deployment, candidate: Candidate, *, now: datetime) -> bool:
    """A revision that serves, was rejected, is held or refused is not tried again.

    The one that is followed ends a rejection or a hold of another, though.
    """
    revision, rejected, held = candidate.snapshot.revision, deployment.rejected, deployment.held
    if deployment.is_blocked(revision) or is_older(deployment, candidate.seen_at, now=now):
        return True
    if rejected is not None:
        return rejected.revision == revision
    if held is not None:
        return held.loaded.revision == revision and deployment.declared.on_dependency_change == "hold"
    return deployment.followed.revision == revision
