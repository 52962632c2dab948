"""What the page of one run shows."""

from __future__ import annotations

import json as json_text
from datetime import datetime

from flowsource.cli.life import Life, attempts_text, phases_text, steps_text, took, tree_text, why
from flowsource.cli.output import Cell, state_cell
from flowsource.cli.times import both
from flowsource.cli.words import revision_fields, tags_text
from flowsource.event_names import NAME
from flowsource.runs import Run, RunState

# A run without trouble has four.
_FEW_STEPS = 8

Fields = list[tuple[str, Cell | str]]


def run_fields(life: Life, now: datetime, *, shows_all_steps: bool = False) -> Fields:
    """The fields of the page, what matters most first and what is long last."""
    run = life.run
    fields: Fields = [("state", state_cell(run.state))]
    fields.append(("flow", run.flow) if run.is_nested else ("deployment", run.deployment))
    if run.failure:
        fields.append(("failure", Cell(why(run.failure), "31")))
    if run.has_result:
        fields.append(("result", json_text.dumps(run.result, ensure_ascii=False)))
    elif run.result_note is not None:
        fields.append(("result", run.result_note))
    fields += _times(run, now)
    if run.revision:
        fields += revision_fields("revision", run.revision, now)
    fields.append(("parameters", json_text.dumps(dict(run.parameters), ensure_ascii=False)))
    fields.append(("created by", _creator(run)))
    if run.cause is not None and run.cause.event is not None:
        event = run.cause.event
        of = f" of {event.resource[NAME]}" if NAME in event.resource else ""
        fields.append(("event", f"{event.name}{of}, {both(event.at, now=now)}"))
    if run.cause is not None and run.cause.chain:
        fields.append(("chain", " -> ".join((*run.cause.chain, run.deployment))))
    if run.tags:
        fields.append(("tags", tags_text(run.tags)))
    return fields + _longer(life, now, shows_all_steps=shows_all_steps)


def _times(run: Run, now: datetime) -> Fields:
    again_at = run.due_at if run.state is RunState.RETRYING else None
    fields: Fields = [
        (name, both(at, now=now))
        for name, at in (
            ("due", run.scheduled_at),
            ("claimed", run.claimed_at),
            ("started", run.started_at),
            ("again", again_at),
            ("ended", run.ended_at),
        )
        if at is not None
    ]
    if length := took(run.started_at, run.ended_at, now):
        fields.append(("took", length))
    return fields


def _creator(run: Run) -> str:
    if run.parent_id is not None:
        return f"the run {run.parent_id}{', inside it' if run.is_nested else ''}"
    if run.cause is not None:
        return f"the trigger {run.cause.trigger}"
    if run.rerun_of is not None:
        return f"request, to do again what {run.rerun_of} did"
    return "a schedule" if run.schedule else "request"


def _longer(life: Life, now: datetime, *, shows_all_steps: bool) -> Fields:
    run = life.run
    fields: Fields = []
    if run.cancellation is not None:
        fields.append(("cancellation", "\n".join(phases_text(run.cancellation))))
    if run.attempt > 1:
        fields.append(("attempts", attempts_text(life.attempts, now)))
    if life.children:
        fields.append(("children", tree_text(life.children, now)))
    if life.steps and (shows_all_steps or len(life.steps) <= _FEW_STEPS):
        fields.append(("steps", steps_text(life.steps)))
    elif life.steps:
        fields.append(("steps", f"{len(life.steps)}; --steps shows them"))
    if run.failure and run.failure.traceback:
        fields.append(("traceback", f"{run.failure.traceback.rstrip()}\n"))
    return fields
