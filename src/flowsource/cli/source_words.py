"""What the commands say about a source: in a row of a table, on a page of its own, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flowsource.cli.json_shapes import instant_json, revision_json
from flowsource.cli.output import Cell
from flowsource.cli.times import both, duration, relative
from flowsource.cli.words import revision_fields
from flowsource.deployments import Deployment
from flowsource.source_status import Poll, SourceState, SourceStatus
from flowsource.store.values import KnownSource
from flowsource.text import revision_text
from flowsource.watch.status import while_paused

_MARKS: Mapping[SourceState, tuple[str, str]] = {
    SourceState.NEW: ("○", "36"),
    SourceState.OK: ("✔", "32"),
    SourceState.DEGRADED: ("✖", "33"),
    SourceState.AUTH_FAILED: ("✖", "31"),
    SourceState.MISSING: ("✖", "31"),
    SourceState.PAUSED: ("⊘", "33"),
}
_MEANINGS: Mapping[SourceState, str] = {
    SourceState.NEW: "not asked yet",
    SourceState.OK: "as new as its remote at the last poll",
    SourceState.DEGRADED: "what is new cannot be had; what was there before is served",
    SourceState.AUTH_FAILED: "it wants other credentials; what was there before is served",
    SourceState.MISSING: "what is followed is not there; what was there before is served",
    SourceState.PAUSED: "a person wants nothing new from it; what was there before is served",
}


def status_of(source: KnownSource) -> SourceStatus:
    """How it is, with a pause that its server may not have told of yet."""
    status, paused_at = source.report.status, source.wish.paused_at
    return while_paused(status, since=paused_at) if paused_at else status


def state_cell(source: KnownSource) -> Cell:
    """Its state as sign, word and colour."""
    if not source.is_served:
        return Cell("⊘ not served", "2")
    state = status_of(source).state
    sign, colour = _MARKS[state]
    return Cell(f"{sign} {state.replace('_', ' ')}", colour)


def next_try(source: KnownSource, now: datetime) -> datetime | None:
    """When it is asked next, if that is known: a poll that finds nothing new is not told, nor when the next one is."""
    at = status_of(source).next_try_at
    return at if source.is_served and at is not None and at > now else None


def source_row(source: KnownSource, now: datetime) -> list[Cell]:
    """Its line in a table of STATE, SOURCE, REVISION, POLLED and NEXT."""
    status, poll = status_of(source), source.report.poll
    next_at = next_try(source, now)
    return [
        state_cell(source),
        Cell(status.label, "1"),
        Cell(revision_text(source.report.revision)),
        Cell(relative(poll.at, now=now) if poll else "-"),
        Cell(relative(next_at, now=now) if next_at else "-"),
    ]


def source_fields(
    source: KnownSource, deployments: Sequence[Deployment], now: datetime
) -> list[tuple[str, Cell | str]]:
    """Its page: how it is and since when, its last poll with its stages, its deployments, and what helps."""
    report, status = source.report, status_of(source)
    cell = state_cell(source)
    meaning = _MEANINGS[status.state] if source.is_served else "no server follows it now; this is what was told last"
    fields: list[tuple[str, Cell | str]] = [
        ("state", Cell(f"{cell.text}: {meaning}", cell.colour)),
        ("since", both(status.since, now=now)),
    ]
    if status.reason:
        fields.append(("reason", Cell(status.reason, cell.colour)))
    if status.failures:
        fields.append(("failures", f"{status.failures} in a row"))
    if next_at := next_try(source, now):
        fields.append(("next try", both(next_at, now=now)))
    if source.wish.hints > report.answered:
        fields.append(("hint", "one was given that is not answered yet"))
    if report.selector:
        fields.append(("follows", report.selector))
    fields += revision_fields("revision", report.revision, now)
    if rewrite := status.rewritten:
        fields.append(
            ("rewritten", f"{rewrite.what}: {rewrite.before[:7]} → {rewrite.after[:7]}, {both(rewrite.at, now=now)}")
        )
    if report.poll:
        fields += _poll_fields(report.poll, now)
    fields += [("deployment", _deployment_text(deployment, source)) for deployment in deployments]
    if advice := what_helps(source, deployments):
        fields.append(("what helps", "\n".join(advice)))
    return fields


def what_helps(source: KnownSource, deployments: Sequence[Deployment]) -> list[str]:
    """What a person can do so that what was pushed is served; nothing where it is."""
    label, state = status_of(source).label, status_of(source).state
    if not source.is_served:
        return ["Start the script that serves it."]
    helps = {
        SourceState.PAUSED: [f"flowsource source resume '{label}'"],
        SourceState.AUTH_FAILED: [
            "Mend the variable or file that the credentials are in: it is read at every attempt. To try at once:",
            f"flowsource source sync '{label}' --wait",
        ],
        SourceState.MISSING: ["Push what is followed, or correct its name or the URL where it is served."],
        SourceState.DEGRADED: [
            "It is tried again by itself. To try at once:",
            f"flowsource source sync '{label}' --wait",
        ],
    }.get(state, [])
    rejected = [deployment.full_name for deployment in deployments if deployment.rejected]
    return helps + [
        line
        for name in rejected
        for line in (
            "Push a commit that loads, which is taken over by itself. Its traceback:",
            f"flowsource deployments show '{name}'",
        )
    ]


def source_json(source: KnownSource, deployments: Sequence[Deployment]) -> dict[str, Any]:
    """A source. `poll` is the last look at it; `served` tells whether a live server follows it."""
    report, status = source.report, status_of(source)
    rewrite = status.rewritten
    return {
        "label": status.label,
        "key": report.key,
        "follows": report.selector,
        "address": report.address or None,
        "state": status.state.value,
        "since": instant_json(status.since),
        "reason": status.reason,
        "failures": status.failures,
        "served": source.is_served,
        "next_try_at": instant_json(status.next_try_at),
        "hints": source.wish.hints,
        "answered": report.answered,
        "revision": revision_json(report.revision),
        "rewritten": {
            "what": rewrite.what,
            "before": rewrite.before,
            "after": rewrite.after,
            "at": instant_json(rewrite.at),
        }
        if rewrite
        else None,
        "poll": report.poll.to_json() if report.poll else None,
        "deployments": [
            {
                "name": deployment.full_name,
                "active": revision_json(deployment.active),
                "rejected": revision_json(deployment.rejected.revision) if deployment.rejected else None,
                "reason": deployment.rejected.message if deployment.rejected else None,
            }
            for deployment in deployments
        ],
    }


def _poll_fields(poll: Poll, now: datetime) -> list[tuple[str, Cell | str]]:
    width = max((len(stage.name) for stage in poll.stages), default=0)
    stages = [f"{stage.name:<{width}}  {duration(stage.took)}  {stage.outcome}" for stage in poll.stages]
    return [
        ("last poll", f"{both(poll.at, now=now)}, because of {poll.asked}; it took {duration(poll.took)}"),
        ("found", poll.found),
        ("stages", "\n".join(stages)),
    ]


def _deployment_text(deployment: Deployment, source: KnownSource) -> Cell:
    serves = f"{deployment.full_name} serves {revision_text(deployment.active)}"
    rejected, newest = deployment.rejected, source.report.revision
    if rejected:
        return Cell(f"{serves}; {rejected.revision.short} was rejected: {rejected.message}", "31")
    if deployment.pin:
        return Cell(f"{serves}; it is pinned by {deployment.pin.by}", "36")
    if deployment.held:
        return Cell(f"{serves}; {deployment.held.loaded.revision.short} is held: it changes dependencies", "33")
    if deployment.is_blocked(newest):
        return Cell(f"{serves}; it was rolled back from {newest.short}", "33")
    if deployment.active != newest:
        return Cell(f"{serves}; {newest.short} is not taken over (yet)", "33")
    return Cell(serves, "32")
