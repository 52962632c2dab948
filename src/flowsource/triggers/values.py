"""Triggers as they are declared: of single events, of several triggers, of several in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, cast, get_args

from flowsource.errors import InvalidDeployment, InvalidInput
from flowsource.event_names import our_event, our_label, our_value
from flowsource.triggers.matching import Wanted
from flowsource.triggers.options import TriggerOptions, checked_length, checked_texts

Posture = Literal["Reactive", "Proactive"]

# What is waited for that does not come is told at the end of this time: nobody can look more often.
_SHORTEST_PROACTIVE = timedelta(seconds=10)
_MOST_COUNTED = 1_000_000
_MOST_TRIGGERS = 100
_DEEPEST = 10

Texts = str | Sequence[str] | Set[str]
Match = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class EventTrigger(TriggerOptions):
    """Fires where events come that it expects; or, with the posture "Proactive", where they do not come.

    It counts events named in `expect` (none means all; `order.*` means all of that beginning) that happened to what
    `match` says, and concern what `match_related` says (all of them, where several are given): labels, each with the
    value it is to have, or a list of those it may have; `*` at the end of one stands for anything, `!` before it for
    anything else. For each value of the labels `for_each` it counts apart. It begins to count with an event named in
    `after`, where there are any. The rest is as in `TriggerOptions`.

    A reactive one fires at the `threshold`-th event, where these came `within` that time (seconds, or a timedelta; 0
    means whenever they come) of the first of them; and not again before that time is over. A proactive one fires when
    fewer came in that time, which is then at least 10 seconds. They may be Prefect's: `prefect.flow-run.Failed`.
    """

    expect: Texts = ()
    match: Match = field(default_factory=dict)
    match_related: Match | Sequence[Match] = ()
    for_each: Texts = ()
    after: Texts = ()
    posture: Posture = "Reactive"
    threshold: int = 1
    within: float | timedelta = timedelta(0)

    def __post_init__(self) -> None:
        for name, spelled in (("expect", our_event), ("after", our_event), ("for_each", our_label)):
            _keep(self, name, _spelled(getattr(self, name), spelled, name=name))
        _keep(self, "match", _checked_match(self.match, name="match"))
        related = () if self.match_related is None else self.match_related
        listed = [related] if isinstance(related, Mapping) else related
        if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
            raise InvalidDeployment(f"match_related: {related!r} is neither labels nor a list of them.")
        wanted = (_checked_match(each, name="match_related") for each in listed)
        _keep(self, "match_related", tuple(each for each in wanted if each))
        if self.posture not in get_args(Posture):
            raise InvalidDeployment(f"posture: {self.posture!r} is neither 'Reactive' nor 'Proactive'; give one.")
        # That of an enumeration is said as plain text.
        _keep(self, "posture", next(posture for posture in get_args(Posture) if posture == self.posture))
        is_count = isinstance(self.threshold, int) and not isinstance(self.threshold, bool)
        if not is_count or not 1 <= self.threshold <= _MOST_COUNTED:
            raise InvalidDeployment(f"threshold: {self.threshold!r} is not a whole number from 1 to {_MOST_COUNTED:,}.")
        _keep(self, "within", checked_length(self.within, name="within"))
        if self.posture == "Proactive" and self.time < _SHORTEST_PROACTIVE:
            raise InvalidDeployment(
                f"within: {self.time.total_seconds():g} s are too short to wait for what does not come; "
                f"give {_SHORTEST_PROACTIVE.total_seconds():g} seconds or more."
            )
        self.check_options()

    # Each field is of one type once it was checked, and is asked for with every event.

    @property
    def time(self) -> timedelta:
        """`within`, as a length of time."""
        return cast(timedelta, self.within)

    @property
    def wanted(self) -> Wanted:
        """`match`, with all values that a label may have."""
        return cast(Wanted, self.match)

    @property
    def wanted_related(self) -> tuple[Wanted, ...]:
        """`match_related`, with all values that a label may have."""
        return cast(tuple[Wanted, ...], self.match_related)

    @property
    def names(self) -> tuple[str, ...]:
        """The events that it looks at, by their names; none means all."""
        return (*self.expect, *self.after) if self.expect else ()

    def content_to_json(self) -> dict[str, Any]:
        """What makes it another one, as JSON."""
        return {
            "kind": "event",
            "expect": list(self.expect),
            "match": {label: list(values) for label, values in self.wanted.items()},
            "match_related": [{label: list(values) for label, values in each.items()} for each in self.wanted_related],
            "for_each": list(self.for_each),
            "after": list(self.after),
            "posture": self.posture,
            "threshold": self.threshold,
            "within": self.time.total_seconds(),
        }

    def describe(self) -> str:
        """As a person would say it."""
        count = f"{self.threshold} x " if self.threshold > 1 else ""
        said = f"{count}{' or '.join(self.expect) or 'any event'}"
        if self.posture == "Proactive":
            said = f"no {said}"
        if self.after:
            said += f" after {' or '.join(self.after)}"
        if self.time:
            said += f" within {self.time.total_seconds():g} s"
        about = [f"{label.rpartition('.')[2]} {' or '.join(values)}" for label, values in self.wanted.items()]
        about += [_related_text(each) for each in self.wanted_related]
        return f"{said} of {', '.join(about)}" if about else said


@dataclass(frozen=True, slots=True)
class GroupTrigger(TriggerOptions):
    """What triggers of other triggers have in common: those fire `within` a time of each other (seconds, or a
    timedelta; 0 or None means whenever they do)."""

    triggers: Sequence[Trigger] = ()
    within: float | timedelta | None = None

    def __post_init__(self) -> None:
        listed = self.triggers
        is_list = isinstance(listed, Sequence) and not isinstance(listed, str | bytes)
        if not is_list or not 1 <= len(listed) <= _MOST_TRIGGERS:
            raise InvalidDeployment(f"triggers: {listed!r} is not a list of 1 to {_MOST_TRIGGERS} triggers.")
        for place, inner in enumerate(listed):
            _check_inner(inner, place)
        if self.depth > _DEEPEST:
            raise InvalidDeployment(f"triggers: they are nested deeper than {_DEEPEST} levels.")
        _keep(self, "triggers", tuple(listed))
        _keep(self, "within", checked_length(0 if self.within is None else self.within, name="within"))
        self.check_options()

    @property
    def time(self) -> timedelta:
        """`within`, as a length of time; none at all means whenever."""
        return cast(timedelta, self.within)

    @property
    def depth(self) -> int:
        """How many levels of groups there are, this one included."""
        return 1 + max((inner.depth for inner in self.triggers if isinstance(inner, GroupTrigger)), default=0)

    @property
    def names(self) -> tuple[str, ...]:
        """The events that it looks at, by their names; none means all."""
        each = [inner.names for inner in self.triggers]
        return tuple(name for names in each for name in names) if all(each) else ()

    def _inner_to_json(self) -> dict[str, Any]:
        triggers = [inner.content_to_json() for inner in self.triggers]
        return {"triggers": triggers, "within": self.time.total_seconds()}

    def _described(self, joint: str) -> str:
        within = f", within {self.time.total_seconds():g} s" if self.time else ""
        return f"{joint.join(f'({inner.describe()})' for inner in self.triggers)}{within}"


@dataclass(frozen=True, slots=True)
class CompoundTrigger(GroupTrigger):
    """Fires when so many of its `triggers` have fired as it requires: "all", "any", or a number."""

    require: int | Literal["any", "all"] = "all"

    def __post_init__(self) -> None:
        # By its name: a dataclass with slots is another class than the one that super() would look in.
        GroupTrigger.__post_init__(self)
        is_count = isinstance(self.require, int) and not isinstance(self.require, bool)
        if self.require not in ("any", "all") and not (is_count and 1 <= self.count <= len(self.triggers)):
            raise InvalidDeployment(
                f"require: {self.require!r} is neither 'any' nor 'all' nor a number from 1 to {len(self.triggers)}."
            )

    @property
    def count(self) -> int:
        """How many must have fired."""
        if isinstance(self.require, int):
            return self.require
        return 1 if self.require == "any" else len(self.triggers)

    def content_to_json(self) -> dict[str, Any]:
        """What makes it another one, as JSON."""
        return {"kind": "compound", "require": self.require, **self._inner_to_json()}

    def describe(self) -> str:
        """As a person would say it."""
        if self.require == "any":
            return self._described(" or ")
        some = "" if self.require == "all" else f"{self.require} of: "
        return f"{some}{self._described(' and ')}"


@dataclass(frozen=True, slots=True)
class SequenceTrigger(GroupTrigger):
    """Fires when all its `triggers` have fired, in this order."""

    def content_to_json(self) -> dict[str, Any]:
        """What makes it another one, as JSON."""
        return {"kind": "sequence", **self._inner_to_json()}

    def describe(self) -> str:
        """As a person would say it."""
        return self._described(", then ")


# What is said in fewer fields first: whoever reads one by its fields takes the first that has them all.
Trigger = EventTrigger | SequenceTrigger | CompoundTrigger


def _check_inner(inner: object, place: int) -> None:
    if not isinstance(inner, Trigger):
        raise InvalidDeployment(f"triggers.{place}: {inner!r} is not a trigger; give an EventTrigger, or a group.")
    if said := inner.options_to_json():
        raise InvalidDeployment(
            f"triggers.{place}: {', '.join(said)} can be said of the outermost trigger alone, for that is what fires."
        )


def _keep(trigger: object, name: str, value: object) -> None:
    object.__setattr__(trigger, name, value)


def _spelled(given: object, spelled: Callable[[str], str], *, name: str) -> tuple[str, ...]:
    texts = checked_texts(() if given is None else given, name=name)
    try:
        return tuple(sorted(set(map(spelled, texts))))
    except InvalidInput as error:
        raise InvalidDeployment(f"{name}: {error}") from None


def _checked_match(given: object, *, name: str) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(label, str) for label in given):
        raise InvalidDeployment(
            f"{name}: {given!r} is not values by label; give some such as {{'flowsource.resource.id': 'order.*'}}."
        )
    checked = {our_label(label): checked_texts(values, name=f"{name}.{label}") for label, values in given.items()}
    return {label: tuple(sorted(map(our_value, checked[label]))) for label in sorted(checked)}


def _related_text(wanted: Wanted) -> str:
    return " ".join(" or ".join(values) for _, values in sorted(wanted.items(), reverse=True))
