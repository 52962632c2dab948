"""The kinds of things that a key may ask for, and the one spelling that each value gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from difflib import get_close_matches

from flowsource.queries.moments import moment
from flowsource.queries.terms import Pattern

_DIGITS = re.compile(r"[0-9a-f]+")
LEAST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Clock:
    """The instant at which a query is read, and the time zone of its days; None is that of this machine."""

    now: datetime
    zone: tzinfo | None


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of a key are read: `spell` gives a value in its one spelling, and raises ValueError that says what
    there is. Where `is_alone` nothing has two of them, so that asking for two at once is a mistake."""

    spell: Callable[[Pattern, Clock], Pattern]
    is_alone: bool = False


Keys = Mapping[str, Kind]


def choice(choices: Iterable[str], others: Mapping[str, str] | None = None) -> Kind:
    """One of these words, in which `-` is as good as `_`; or another word for one of them."""
    known = list(choices)

    def spell(value: Pattern, clock: Clock) -> Pattern:
        word = "*".join(value).lower().replace("-", "_")
        word = (others or {}).get(word, word)
        if word in known:
            return (word,)
        near = get_close_matches(word, known)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ValueError(f"{hint}there are {', '.join(known)}")

    return Kind(spell, is_alone=True)


def digits(what: str) -> Kind:
    """A beginning of hexadecimal digits, such as those of an id."""

    def spell(value: Pattern, clock: Clock) -> Pattern:
        said = value[:-1] if len(value) > 1 and not value[-1] else value
        found = "*".join(said).lower().replace("-", "")
        if not _DIGITS.fullmatch(found) or not LEAST_DIGITS <= len(found) <= 64:
            raise ValueError(f"give the first digits of {what}, {LEAST_DIGITS} or more of 0-9 and a-f")
        return (found,)

    return Kind(spell)


def _moment(value: Pattern, clock: Clock) -> Pattern:
    at = moment("*".join(value), now=clock.now, zone=clock.zone)
    return (at.isoformat().removesuffix("+00:00") + "Z",)


def instant_of(value: Pattern) -> datetime:
    """The instant of a value of the kind MOMENT."""
    return datetime.fromisoformat(value[0])


PATTERN = Kind(lambda value, clock: value)
MOMENT = Kind(_moment)
FLAG = choice(("yes", "no"), {"true": "yes", "false": "no"})
