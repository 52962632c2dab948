"""The names of events and of labels: ours, those that people may give, and how whoever comes from Prefect says them."""

from __future__ import annotations

import re

from flowsource.errors import InvalidInput

RUNS = "flow-run."
DEPLOYMENTS = "deployment."
ID, NAME, ROLE = "flowsource.resource.id", "flowsource.resource.name", "flowsource.resource.role"

_LONGEST = 200
_DOTTED_WORDS = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
# What is told under these happened here; nobody else can say that it did.
_OURS = frozenset({"flow-run", "deployment", "source", "runner", "schedule", "trigger", "flowsource", "prefect"})
_THEIRS = "prefect."
_STATES = {
    "Scheduled": "scheduled",
    "Pending": "claimed",
    "Running": "running",
    "AwaitingRetry": "retrying",
    "Retrying": "retrying",
    "Completed": "completed",
    "Failed": "failed",
    "TimedOut": "timed_out",
    "Crashed": "crashed",
    "Cancelled": "cancelled",
}
_EVENTS = {
    "prefect.*": "*",
    "prefect.flow-run.*": f"{RUNS}*",
    **{f"prefect.flow-run.{theirs}": f"{RUNS}{ours}" for theirs, ours in _STATES.items()},
    "prefect.deployment.*": f"{DEPLOYMENTS}*",
    "prefect.deployment.created": f"{DEPLOYMENTS}registered",
    "prefect.deployment.updated": f"{DEPLOYMENTS}changed",
}


def check_event_name(name: object) -> str:
    """`name` if a person may emit an event of it; raises InvalidInput."""
    if not isinstance(name, str) or len(name) > _LONGEST or not _DOTTED_WORDS.fullmatch(name):
        raise InvalidInput(
            f"name: {name!r} cannot name an event; give words of letters, digits, - and _ with dots between them, "
            f"such as 'order.created', {_LONGEST} signs at most."
        )
    if (first := name.partition(".")[0]) in _OURS:
        raise InvalidInput(
            f"name: {name!r} begins with {first!r}, under which flowsource tells what happened to its own; "
            "give it a first word of yours, as in 'order.created'."
        )
    return name


def our_event(pattern: str) -> str:
    """The name of an event, or the beginning of names with `*` after it, where it may be said as in Prefect.

    Raises InvalidInput for an event that there is in Prefect alone.

    >>> our_event("prefect.flow-run.TimedOut"), our_event("order.*")
    ('flow-run.timed_out', 'order.*')
    """
    if not pattern.startswith(_THEIRS):
        return pattern
    if pattern not in _EVENTS:
        known = ", ".join(name for name in _EVENTS if not name.endswith("*"))
        raise InvalidInput(f"{pattern!r} is no event here. Of those of Prefect there are: {known}.")
    return _EVENTS[pattern]


def our_label(label: str) -> str:
    """The name of a label, which may be said as in Prefect.

    >>> our_label("prefect.resource.id"), our_label("related:flow:prefect.resource.id"), our_label("shop")
    ('flowsource.resource.id', 'related:flow:flowsource.resource.id', 'shop')
    """
    before, colon, name = label.rpartition(":")
    return f"{before}{colon}flowsource.{name.removeprefix(_THEIRS)}" if name.startswith(_THEIRS) else label


def our_value(value: str) -> str:
    """What a label is to be, where ids may be said as in Prefect.

    >>> our_value("prefect.flow-run.*"), our_value("!prefect.tag.etl"), our_value("brave-otter")
    ('flow-run.*', '!tag.etl', 'brave-otter')
    """
    negation = "!" if value.startswith("!") else ""
    return f"{negation}{value.removeprefix(negation).removeprefix(_THEIRS)}"
