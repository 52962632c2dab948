"""Why there is a run, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flowsource.event_names import NAME
from flowsource.events import Event
from flowsource.runs import Run
from flowsource.store.values import ScheduleState


@dataclass(frozen=True, slots=True)
class Because:
    """What wanted a run. Where that was an event, `event` says which, at `at`; `path` is the run that told of it."""

    text: str
    event: str = ""
    at: datetime | None = None
    path: str | None = None


def because(run: Run, schedules: Sequence[ScheduleState]) -> Because:
    """Why there is `run`, of a deployment that has these `schedules` by now."""
    if run.parent_id is not None:
        return Because("it was called in the run" if run.is_nested else "it was asked for by the run")
    if run.cause is not None:
        through = f", through {' → '.join(run.cause.chain)}" if run.cause.chain else ""
        return _with_event(f"the trigger {run.cause.trigger}{through}", run.cause.event)
    if run.schedule is None:
        return Because("a request")
    said = next((one.schedule.describe() for one in schedules if one.key == run.schedule), None)
    return Because(f"its schedule, {said}" if said is not None else f"the schedule {run.schedule}, which is gone")


def _with_event(text: str, event: Event | None) -> Because:
    if event is None:
        return Because(text)
    of = f" of {event.resource[NAME]}" if NAME in event.resource else ""
    path = f"/runs/{event.run_id}" if event.run_id is not None else None
    return Because(text, f"{event.name}{of}", event.at, path)
