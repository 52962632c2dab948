"""Why a run, or a deployment, is as it is, in a sentence: told from what is known of it, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from uuid import UUID

from flowsource.cli.times import both, duration, relative
from flowsource.deployments import Deployment
from flowsource.promotions import HistoryEntry, Kind
from flowsource.runs import Cancellation, Run, RunState
from flowsource.source_status import SourceState
from flowsource.store.values import LOST_FOR, KnownRunner, KnownSource, TriggerState
from flowsource.text import revision_text

# A runner takes what is due well within this.
_PATIENCE = timedelta(seconds=10)
_NAMED = 3
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is: `kind` in a word or two, the sentence, and what helps, where something does."""

    kind: str
    sentence: str
    next_step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known around a deployment: its triggers, all runners, the runs that go on, those of them that only wait
    for others to end, the source that it follows, and what happened to it, newest first."""

    deployment: Deployment
    triggers: Sequence[TriggerState] = ()
    runners: Sequence[KnownRunner] = ()
    in_progress: Sequence[Run] = ()
    waiting: Collection[UUID] = ()
    source: KnownSource | None = None
    history: Sequence[HistoryEntry] = ()

    def serving(self, now: datetime) -> list[KnownRunner]:
        """The runners that serve it and are alive."""
        name = self.deployment.full_name
        return [one for one in self.runners if name in one.deployments and one.lease_until >= now]

    @property
    def counted(self) -> list[Run]:
        """The runs that go on and count against limits."""
        return [run for run in self.in_progress if run.id not in self.waiting]


def why_run(run: Run, around: Around, *, now: datetime) -> Reason:
    """Why `run` is in the state it is in: what it waits for, or how it came to its end."""
    if run.is_nested:
        word, parent = run.state.replace("_", " "), str(run.parent_id)
        said = f"{run.name} is {word}; it is a call inside the run {parent}, and goes where that goes."
        return Reason(word, said, f"flowsource why {parent}")
    if run.state.is_waiting:
        return _why_waiting(run, around, now)
    return _WHY[run.state](run, around, now)


def why_revision(run: Run, around: Around, *, now: datetime) -> str:
    """Why `run` is at the revision that it is at, or will be at."""
    deployment = around.deployment
    name, active = deployment.full_name, revision_text(deployment.active)
    if run.revision is None:
        return f"It takes what {name} serves when it begins, by now {active}{_not_newer(around, now)}."
    here = revision_text(run.revision)
    if run.keeps_revision:
        return f"It is at {here}, the revision of the run that it does again."
    if run.revision == deployment.active:
        return f"It is at {here}, which {name} serves{_not_newer(around, now)}."
    attempts = ", and each attempt keeps the revision of the first" if run.attempt > 1 else ""
    return f"It is at {here}, which {name} served when it began{attempts}; by now that serves {active}."


def why_deployment(around: Around, *, next_at: datetime | None, now: datetime) -> Reason:
    """Why a deployment makes no runs, or when it makes the next."""
    deployment = around.deployment
    name = deployment.full_name
    if deployment.paused:
        paused = next((entry for entry in around.history if entry.kind is Kind.PAUSED), None)
        by = f" by {paused.by}{_because(paused.reason)}, {relative(paused.at, now=now)}" if paused else ""
        return Reason("paused", f"{name} is paused{by}: its schedules and triggers are held.", _resume(deployment))
    if not around.serving(now):
        said = f"{name} makes no runs, for {_nobody_serves(around, now)}."
        return Reason("nobody serves", said, _serve_it(deployment))
    if next_at is not None:
        return Reason("waits for its time", f"{name} makes its next run {both(next_at, now=now)}.")
    if going_on := [one.trigger for one in around.triggers if not one.is_held]:
        said = " and ".join(trigger.describe() for trigger in going_on)
        return Reason("waits for events", f"{name} has no time at which it runs; it runs {said}.")
    if deployment.schedules:
        return Reason(
            "schedules held",
            f"{name} has schedules, and none that fires again: each is held, or has ended.",
            f"flowsource schedules ls '{name}'",
        )
    if around.triggers:
        return Reason("triggers held", f"{name} has triggers, and each is held.", f"flowsource triggers ls '{name}'")
    return Reason("on request", f"{name} has no schedule: it runs when it is asked to.", f"flowsource run '{name}'")


def _why_waiting(run: Run, around: Around, now: datetime) -> Reason:
    deployment = around.deployment
    name = deployment.full_name
    before = f" after attempt {run.attempt} ended ({run.failure})" if run.failure is not None else ""
    if run.due_at > now:
        kind = "retrying" if run.state is RunState.RETRYING else "not due"
        return Reason(kind, f"{run.name} waits for its time, {both(run.due_at, now=now)}{before}.")
    since = f"{run.name} is due since {duration(now - run.due_at)}{before}"
    serving = around.serving(now)
    if not serving:
        return Reason("nobody serves", f"{since}, and waits: {_nobody_serves(around, now)}.", _serve_it(deployment))
    of_it = [other for other in around.counted if other.deployment_id == deployment.id]
    limit = deployment.declared.global_limit
    if limit is not None and len(of_it) >= limit:
        said = f"{_count(limit)} of {name} may go on at once on all servers (global_limit), and {_going_on(of_it)}"
        return Reason("limit of all servers", f"{since}, and waits: {said}.", _see_going_on(deployment))
    full = [why for one in serving if (why := _full(one, around)) is not None]
    if len(full) == len(serving):
        return Reason("limit of a server", f"{since}, and waits: {'; '.join(full)}.", _see_going_on(deployment))
    where = ", ".join(map(_place, serving))
    if now - run.due_at < _PATIENCE:
        return Reason("taken next", f"{since}, and is taken next by the runner {where}.")
    return Reason(
        "not taken",
        f"{since}, although the runner {where} serves {name} and has room for it.",
        "Look at what that process says; where it hangs, start it again.",
    )


def _full(runner: KnownRunner, around: Around) -> str | None:
    """Why a runner takes no other run of the deployment; None where it would."""
    declared, name = around.deployment.declared, around.deployment.full_name
    here = [run for run in around.counted if run.runner_id == runner.id]
    of_it = [run for run in here if run.deployment_id == around.deployment.id]
    if declared.limit is not None and len(of_it) >= declared.limit:
        said = f"{_count(declared.limit)} of {name} may go on at once on the runner {_place(runner)} (limit)"
        return f"{said}, and {_going_on(of_it)}"
    most = runner.info.limit if runner.info is not None else None
    if most is not None and len(here) >= most:
        return f"the runner {_place(runner)} executes {_count(most)} at once, and {_going_on(here)}"
    return None


def _why_claimed(run: Run, around: Around, now: datetime) -> Reason:
    since = relative(run.claimed_at or run.changed_at, now=now)
    return Reason("claimed", f"{run.name} was taken by {_runner_of(run, around)} {since}, which prepares its process.")


def _why_running(run: Run, around: Around, now: datetime) -> Reason:
    began = run.started_at or run.changed_at
    waits = ", and waits for another run to end" if run.id in around.waiting else ""
    where = f"by {_runner_of(run, around)}"
    if run.cancellation is not None:
        said = f"{run.name} is still executed {where}: {_asked(run.cancellation, now)}, and {_phase(run.cancellation)}."
        return Reason("ending", said)
    said = f"{run.name} is executed {where} since {duration(max(now - began, timedelta()))}{waits}{_late(run)}."
    return Reason("running", said, f"flowsource logs {run.id} -f")


def _why_lost(run: Run, around: Around, now: datetime) -> Reason:
    ends = run.changed_at + LOST_FOR
    again = around.deployment.declared.on_lost == "rerun"
    then = "it is then executed again" if again else f"it counts as crashed {relative(ends, now=now)}"
    said = (
        f"{run.name} is lost: {_runner_of(run, around)} showed no life since {relative(run.changed_at, now=now)}; "
        f"unless that comes back, {then}."
    )
    return Reason("lost", said, "See whether that machine is up and reaches the store.")


def _why_completed(run: Run, around: Around, now: datetime) -> Reason:
    return Reason("completed", f"{run.name} completed{_took(run)}{_when(run, now)}{_late(run)}.")


def _why_ended_badly(run: Run, around: Around, now: datetime) -> Reason:
    word = run.state.replace("_", " ")
    attempts = f", in attempt {run.attempt}" if run.attempt > 1 else ""
    what = f": {run.failure}" if run.failure is not None else ""
    said = f"{run.name} {word}{_took(run)}{attempts}{what}"
    return Reason(word, f"{said}{_at_line(run)}.", f"flowsource logs {run.id}")


def _why_cancelled(run: Run, around: Around, now: datetime) -> Reason:
    if run.cancellation is not None:
        return Reason("cancelled", f"{run.name} was cancelled: {_asked(run.cancellation, now)}.")
    why = f": {run.failure.message}" if run.failure is not None else ""
    return Reason("cancelled", f"{run.name} was cancelled{_when(run, now)}{why}.")


def _why_skipped(run: Run, around: Around, now: datetime) -> Reason:
    why = run.failure.message if run.failure is not None else "its time had passed"
    return Reason("skipped", f"{run.name} was skipped, for {why}.", "max_lateness and catchup say what is skipped.")


_WHY = {
    RunState.CLAIMED: _why_claimed,
    RunState.RUNNING: _why_running,
    RunState.LOST: _why_lost,
    RunState.COMPLETED: _why_completed,
    RunState.FAILED: _why_ended_badly,
    RunState.TIMED_OUT: _why_ended_badly,
    RunState.CRASHED: _why_ended_badly,
    RunState.CANCELLED: _why_cancelled,
    RunState.SKIPPED: _why_skipped,
}


def _nobody_serves(around: Around, now: datetime) -> str:
    name = around.deployment.full_name
    gone = max((one.lease_until for one in around.runners if name in one.deployments), default=None)
    if gone is not None:
        return f"nobody serves {name}; its runner is out of sight since {duration(now - gone)}"
    stopped = ", for its server was stopped" if around.deployment.stopped else ""
    return f"nobody serves {name}{stopped}"


def _not_newer(around: Around, now: datetime) -> str:
    """Why nothing newer serves, as the end of a sentence."""
    deployment, source = around.deployment, around.source
    if deployment.pin is not None:
        return f"; it is pinned to that by {deployment.pin.by}{_because(deployment.pin.reason)}"
    if deployment.rejected is not None:
        newer = deployment.rejected.revision
        return "" if newer == deployment.active else f"; {newer.short} was rejected: {deployment.rejected.message}"
    if deployment.held is not None:
        return f"; {deployment.held.loaded.revision.short} waits to be accepted, for it changes dependencies"
    if (block := deployment.rolled_back) is not None:
        return f"; {block.by} rolled back to it from {block.revision.short}"
    if source is not None and source.wish.paused_at is not None:
        return f"; its source is paused since {duration(now - source.wish.paused_at)}"
    if source is not None and source.report.status.state not in (SourceState.OK, SourceState.NEW):
        status = source.report.status
        return f"; its source is {status.state.replace('_', ' ')}: {(status.reason or '').rstrip('.')}"
    return ""


def _serve_it(deployment: Deployment) -> str:
    declared = deployment.declared
    return f"Start what serves {declared.entrypoint} of {declared.source_label}, or `flowsource serve` it."


def _resume(deployment: Deployment) -> str:
    return f"flowsource deployments resume '{deployment.full_name}'"


def _see_going_on(deployment: Deployment) -> str:
    return f"flowsource runs ls deployment:{deployment.full_name} state:running"


def _runner_of(run: Run, around: Around) -> str:
    found = next((one for one in around.runners if one.id == run.runner_id), None)
    return f"the runner {_place(found)}" if found is not None else "a runner that is gone"


def _place(runner: KnownRunner) -> str:
    return f"at {runner.info.host} (process {runner.info.pid})" if runner.info is not None else str(runner.id)[:13]


def _asked(cancellation: Cancellation, now: datetime) -> str:
    return f"{cancellation.by} asked it to end {relative(cancellation.asked_at, now=now)}{cancellation.because}"


def _phase(cancellation: Cancellation) -> str:
    if cancellation.killed_at is not None:
        return "its processes were made to end"
    if cancellation.signalled_at is not None:
        return "its processes were asked to, and have the grace of the deployment for it"
    return "its server was told" if cancellation.told_at is not None else "its server was not told yet"


def _at_line(run: Run) -> str:
    """Where in the code it happened: in the last of its own files that the traceback names."""
    frames = _FRAME.findall(run.failure.traceback) if run.failure is not None else []
    own = [frame for frame in frames if not PurePath(frame[0]).is_absolute()]
    if not (own or frames):
        return ""
    file, line = (own or frames)[-1]
    if run.failure is not None and f"({file}:{line})" in run.failure.message:
        return ""
    return f" ({file}:{line}{f' at {run.revision.short}' if run.revision is not None else ''})"


def _took(run: Run) -> str:
    if run.started_at is None or run.ended_at is None:
        return ""
    return f" after {duration(max(run.ended_at - run.started_at, timedelta()))}"


def _when(run: Run, now: datetime) -> str:
    return f", {relative(run.ended_at, now=now)}" if run.ended_at is not None else ""


def _late(run: Run) -> str:
    late = run.started_at - run.due_at if run.started_at is not None else timedelta()
    return f"; it began {duration(late)} after its time" if late >= _PATIENCE else ""


def _going_on(runs: Sequence[Run]) -> str:
    names = ", ".join(run.name for run in runs[:_NAMED])
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return f"{names}{more} {'goes' if len(runs) == 1 else 'go'} on"


def _count(limit: int) -> str:
    return "1 run" if limit == 1 else f"{limit} runs"


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
