"""States as a page shows them: a sign, a word and a colour, the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flowsource.cli.source_words import status_of
from flowsource.deployments import Deployment
from flowsource.runs import RunState
from flowsource.source_status import SourceState
from flowsource.store.values import KnownSource
from flowsource.text import MARKS

Tone = Literal["good", "bad", "warn", "busy", "calm", "off"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A state: never by its colour (`tone`) alone. `meaning` says more, where the word does not say it all."""

    sign: str
    word: str
    tone: Tone
    meaning: str = ""


_TONES: Mapping[RunState, Tone] = {
    RunState.SCHEDULED: "calm",
    RunState.CLAIMED: "busy",
    RunState.RUNNING: "busy",
    RunState.RETRYING: "warn",
    RunState.LOST: "bad",
    RunState.COMPLETED: "good",
    RunState.FAILED: "bad",
    RunState.CRASHED: "bad",
    RunState.TIMED_OUT: "bad",
    RunState.CANCELLED: "off",
    RunState.SKIPPED: "off",
}
_SOURCES: Mapping[SourceState, Mark] = {
    SourceState.NEW: Mark("○", "new", "calm", "not asked yet"),
    SourceState.OK: Mark("✔", "ok", "good", "as new as its remote at the last poll"),
    SourceState.DEGRADED: Mark("✖", "degraded", "warn", "what is new cannot be had; what was there before is served"),
    SourceState.AUTH_FAILED: Mark("✖", "auth failed", "bad", "it wants other credentials"),
    SourceState.MISSING: Mark("✖", "missing", "bad", "what is followed is not there"),
    SourceState.PAUSED: Mark("⊘", "paused", "off", "a person wants nothing new from it"),
}
HELD = Mark("‖", "held", "off")
READY = Mark("✔", "ready", "good")
REJECTED = Mark("✖", "rejected", "bad", "the newest revision does not load; the last good one serves")
_NOT_SERVED = Mark("⊘", "not served", "off", "no server follows it now; this is what was told last")


def run_mark(state: RunState) -> Mark:
    """The state of a run."""
    return Mark(MARKS[state][0], state.replace("_", " "), _TONES[state])


def source_mark(source: KnownSource) -> Mark:
    """The state of a source."""
    return _SOURCES[status_of(source).state] if source.is_served else _NOT_SERVED


def deployment_mark(deployment: Deployment) -> Mark:
    """The one thing about a deployment that matters most."""
    if deployment.stopped:
        return Mark("⊘", "stopped", "off", "its server has ended; runs wait until it is served again")
    if deployment.paused:
        return Mark("‖", "paused", "off", "its schedules and triggers are held; runs on request go on")
    if deployment.pin:
        return Mark("⚲", "pinned", "calm", "it serves what a person chose, whatever is newer")
    if deployment.rejected:
        return REJECTED
    if deployment.held:
        return Mark("⧖", "held", "warn", "the newest revision changes its dependencies, and waits for a person")
    if deployment.rolled_back:
        return Mark("↶", "rolled back", "warn", "a person went back to what served before")
    return READY
