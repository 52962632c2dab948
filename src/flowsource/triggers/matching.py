"""Whether an event is one of those that are wanted: by its name, by what it happened to, by what it concerns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from flowsource.event_names import ROLE
from flowsource.events import Event, Labels

# What each label is to be: one of these. `*` at the end stands for whatever follows, `!` before it for anything else.
Wanted = Mapping[str, tuple[str, ...]]


def is_named(name: str, patterns: Collection[str]) -> bool:
    """Whether `name` is one of `patterns`, which may each be a beginning with `*` behind it.

    >>> is_named("order.created", ["order.*"]), is_named("order.created", ["order"])
    (True, False)
    """
    return any(_fits(name, pattern) for pattern in patterns)


def covers(event: Event, match: Wanted, match_related: Sequence[Wanted]) -> bool:
    """Whether what `event` happened to is as `match` says, and each of `match_related` is met by something related."""
    return _meets(event.resource, match) and all(
        any(_meets(labels, wanted) for labels in event.related) for wanted in match_related
    )


def label_of(event: Event, label: str) -> str:
    """The value of a label, of the resource or else of the first related one that has it; "" where none does.

    As `related:ROLE:LABEL` it is that of the first related one in that role.
    """
    if label.startswith("related:") and label.count(":") > 1:
        _, role, label = label.split(":", 2)
        candidates = [labels for labels in event.related if labels.get(ROLE) == role]
    else:
        candidates = [event.resource, *event.related]
    return next((labels[label] for labels in candidates if label in labels), "")


def _meets(labels: Labels, wanted: Wanted) -> bool:
    return all(label in labels and _is_one_of(labels[label], values) for label, values in wanted.items())


def _is_one_of(value: str, wanted: Sequence[str]) -> bool:
    refused = [pattern[1:] for pattern in wanted if pattern.startswith("!")]
    welcome = [pattern for pattern in wanted if not pattern.startswith("!")]
    return not is_named(value, refused) and (not welcome or is_named(value, welcome))


def _fits(text: str, pattern: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
