"""Whether a text fits a pattern, and whether a thing is what a query asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import TypeVar

from flowsource.queries.terms import Pattern, Query

T = TypeVar("T")

# How a key is looked at in a thing, once for each of its values.
Looks = Mapping[str, Callable[[Pattern, T], bool]]
# Databases differ in what they know of other letters.
_FOLD = str.maketrans(ascii_uppercase, ascii_lowercase)


def holds(query: Query, thing: T, looks: Looks[T]) -> bool:
    """Whether all terms of `query` hold for `thing`."""
    return all(any(looks[term.key](value, thing) for value in term.values) != term.is_negated for term in query.terms)


def fits(value: Pattern, text: str | None) -> bool:
    """Whether `text` is what the pattern says, capitals and all; None is no text, and fits nothing.

    >>> fits(("brave", ""), "brave-otter"), fits(("", "er"), "brave-otter"), fits(("brave",), "brave-otter")
    (True, True, False)
    """
    if text is None:
        return False
    first, *others = value
    if not others:
        return text == first
    *between, last = others
    if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in between:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def is_within(value: Pattern, *texts: str) -> bool:
    """Whether the pattern fits a part of one of `texts`; of the letters a to z, capitals are as good as others."""
    pieces = tuple(map(folded, value))
    return any(fits(("", *pieces, ""), folded(text)) for text in texts)


def folded(text: str) -> str:
    """`text` with small letters in place of the capitals A to Z, and of no others."""
    return text.translate(_FOLD)
