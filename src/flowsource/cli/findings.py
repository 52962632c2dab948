"""What is found when all is looked at, told from what is known: pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flowsource.cli.times import duration
from flowsource.deployments import Deployment
from flowsource.runs import Run, RunState
from flowsource.source_status import SourceState
from flowsource.store.values import KnownRunner, KnownSource
from flowsource.text import size_text

Level = Literal["ok", "warn", "fail"]

# A run is taken well within that, and clocks that are set by a network differ by less than that.
OVERDUE = timedelta(minutes=1)
_CLOCKS_DIFFER = timedelta(seconds=5)
_LITTLE, _NEXT_TO_NOTHING = 1 << 30, 100 << 20
_NAMED = 5
_TROUBLE: dict[SourceState, Level] = {
    SourceState.DEGRADED: "warn",
    SourceState.PAUSED: "warn",
    SourceState.AUTH_FAILED: "fail",
    SourceState.MISSING: "fail",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: how bad it is, what there is to say, and what helps, where something does."""

    check: str
    level: Level
    said: str
    next_step: str | None = None


def of_mode(check: str, place: str, mode: int, *, private: bool) -> Finding:
    """Of the permissions of a file or directory. What is `private` nobody else may even read."""
    others = mode & (0o077 if private else 0o022)
    if not others:
        whose = "is for its owner alone" if private else "is its owner's to write"
        return Finding(check, "ok", f"{place} {whose}")
    said = f"others may {'read or write' if private else 'write to'} {place} (mode {mode & 0o777:o})"
    return Finding(check, "fail" if mode & 0o022 else "warn", said, f"chmod go-rwx {shlex.quote(place)}")


def of_disk(check: str, place: str, free: int) -> Finding:
    """Of the room, in bytes, that is left where `place` is."""
    said = f"{size_text(free)} are free for {place}"
    if free >= _LITTLE:
        return Finding(check, "ok", said)
    level: Level = "fail" if free < _NEXT_TO_NOTHING else "warn"
    return Finding(check, level, said, "flowsource source gc and flowsource store prune make room.")


def of_clock(ahead: timedelta) -> Finding:
    """Of the clock of the store, which is that much ahead of ours."""
    if abs(ahead) < _CLOCKS_DIFFER:
        return Finding("clock", "ok", "the clock of the store and that of this machine agree")
    way = "ahead of" if ahead > timedelta() else "behind"
    said = f"the clock of the store is {duration(abs(ahead))} {way} that of this machine; what counts is the store's"
    return Finding("clock", "warn", said, "Have both set by NTP.")


def of_programs(sources: Sequence[KnownSource], *, has_ssh: bool) -> list[Finding]:
    """Of the programs that sources need. A Git repository needs none but over ssh."""
    over_ssh = [one for one in sources if one.is_served and one.report.address.startswith("ssh://")]
    if not over_ssh:
        return [Finding("ssh", "ok", "no source is reached over ssh")]
    if has_ssh:
        return [Finding("ssh", "ok", f"ssh is here, for {_count(len(over_ssh), 'source')}")]
    said = f"{over_ssh[0].report.status.label} is reached over ssh, and there is no program of that name here"
    return [Finding("ssh", "warn", said, "Install an OpenSSH client where it is served.")]


def of_sources(sources: Sequence[KnownSource]) -> list[Finding]:
    """Of the sources that somebody serves."""
    served = [one for one in sources if one.is_served]
    found = [_of_source(one) for one in served if _state(one) in _TROUBLE]
    return found or [Finding("sources", "ok", f"{_count(len(served), 'source')} served, none in trouble")]


def of_deployments(
    deployments: Sequence[Deployment], runners: Sequence[KnownRunner], *, now: datetime
) -> list[Finding]:
    """Of what is registered: whether somebody serves it, and whether the newest of it loads."""
    served = {name for one in runners if one.lease_until >= now for name in one.deployments}
    alone = [one for one in deployments if one.full_name not in served]
    found = []
    if alone:
        said = f"nobody serves {_named([one.full_name for one in alone])}"
        step = f"Start what serves them, or `flowsource deployments delete {shlex.quote(alone[0].full_name)}`."
        found.append(Finding("deployments", "warn", said, step))
    for one in deployments:
        if one.rejected is not None and one.full_name in served:
            said = f"{one.full_name} keeps serving {one.active.short}, for {one.rejected.revision.short} was rejected"
            step = f"flowsource deployments show {shlex.quote(one.full_name)}"
            found.append(Finding("deployments", "warn", f"{said}: {one.rejected.message}", step))
    return found or [Finding("deployments", "ok", f"{_count(len(deployments), 'deployment')}, all served")]


def of_runs(runs: Sequence[Run], *, now: datetime) -> list[Finding]:
    """Of the runs that have not ended: whether any is overdue, or lost."""
    overdue = [run for run in runs if run.state.is_waiting and now - run.due_at > OVERDUE]
    lost = [run for run in runs if run.state is RunState.LOST]
    found = []
    if overdue:
        oldest = min(overdue, key=lambda run: run.due_at)
        said = f"{_count(len(overdue), 'run')} overdue, {oldest.name} of {oldest.deployment} longest"
        step = f"flowsource why {oldest.id}"
        found.append(Finding("runs", "warn", f"{said} ({duration(now - oldest.due_at)})", step))
    if lost:
        said = f"the runner of {_named([run.name for run in lost])} is out of sight"
        found.append(Finding("runs", "warn", said, f"flowsource why {lost[0].id}"))
    return found or [Finding("runs", "ok", "no run is overdue, and none is lost")]


def _of_source(source: KnownSource) -> Finding:
    state, status = _state(source), source.report.status
    why = f": {status.reason}" if status.reason and state is not SourceState.PAUSED else ""
    said = f"{status.label} is {state.replace('_', ' ')}{why}"
    return Finding("sources", _TROUBLE[state], said, f"flowsource source explain {shlex.quote(status.label)}")


def _state(source: KnownSource) -> SourceState:
    return SourceState.PAUSED if source.wish.paused_at is not None else source.report.status.state


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
