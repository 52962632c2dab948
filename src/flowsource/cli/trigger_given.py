"""Triggers as a person gives them at the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from flowsource.cli.given import object_from
from flowsource.cli.schedule_given import length_from
from flowsource.errors import InvalidInput
from flowsource.triggers.arguments import SHORT_FORMS

Several = tuple[str, ...]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """What a trigger waits for: the end of runs of another deployment, events, or what `--trigger` says."""

    on_completion_of: Annotated[str | None, Parameter(help="A run for each of that deployment that completes.")] = None
    on_failure_of: Annotated[str | None, Parameter(help="For each that fails or times out.")] = None
    on_cancellation_of: Annotated[str | None, Parameter(help="For each that is cancelled.")] = None
    on_crash_of: Annotated[str | None, Parameter(help="For each that crashes.")] = None
    expect: Annotated[Several, Parameter(help="Events of this name, such as order.created or order.*.")] = ()
    match: Annotated[Several, Parameter(help="Only of what has this label=value.")] = ()
    match_related: Annotated[Several, Parameter(help="Only where what it concerns has this label=value.")] = ()
    for_each: Annotated[Several, Parameter(help="Count apart for each value of this label.")] = ()
    after: Annotated[Several, Parameter(help="Begin to count with an event of this name.")] = ()
    threshold: Annotated[int | None, Parameter(help="At how many of them.")] = None
    within: Annotated[str | None, Parameter(help="In what time: seconds, or such as 10m.")] = None
    proactive: Annotated[bool, Parameter(help="Where they do not come in that time.")] = False
    trigger: Annotated[str | None, Parameter(help="All of it as a JSON object, as @FILE, or as - for stdin.")] = None


def said_by(what: What) -> dict[str, Any]:
    """What `trigger_from_said` is to read; raises InvalidInput naming the option that cannot be used."""
    short = {name: given for name in SHORT_FORMS if (given := getattr(what, name)) is not None}
    texts = {name: getattr(what, name) for name in ("expect", "for_each", "after")}
    events: dict[str, Any] = {name: list(given) for name, given in texts.items() if given}
    for name in ("match", "match_related"):
        if given := getattr(what, name):
            events[name] = _labels(given, f"--{name.replace('_', '-')}")
    if what.threshold is not None:
        events["threshold"] = what.threshold
    if what.within is not None:
        events["within"] = length_from(what.within, "--within").total_seconds()
    if what.proactive:
        events["posture"] = "Proactive"
    whole = object_from(what.trigger, option="--trigger") if what.trigger is not None else {}
    ways = [way for way in (short, events, whole) if way]
    if len(ways) != 1 or len(short) > 1:
        raise InvalidInput("give one of --on-completion-of and its like, or --expect with its options, or --trigger.")
    return ways[0]


def _labels(pairs: Sequence[str], option: str) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for pair in pairs:
        label, equals, value = pair.partition("=")
        if not equals or not label:
            raise InvalidInput(f"{option} {pair}: give it as label=value.")
        labels.setdefault(label, []).append(value)
    return labels
