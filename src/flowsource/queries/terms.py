"""A query as values, and as text again."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A text with anything between its pieces: `("brave",)` is that text alone, and `("brave", "")` whatever begins with it.
Pattern = tuple[str, ...]

# The key of words that stand alone.
WORDS = ""
_PLAIN = re.compile(r"[^\s\"*,\\]+")
_PLAIN_WORD = re.compile(r"[^\s\"*,\\:-][^\s\"*,\\:]*")


@dataclass(frozen=True, slots=True)
class Term:
    """What one word of a query asks for: that one of `values` fits what `key` names, or none where it is negated.

    Values are in the one spelling that `flowsource.queries.parsing` gives them.
    """

    key: str
    values: tuple[Pattern, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        plain = _PLAIN if self.key else _PLAIN_WORD
        said = ",".join("*".join(_quoted(piece, plain) for piece in value) or '""' for value in self.values)
        return f"{'-' if self.is_negated else ''}{f'{self.key}:' if self.key else ''}{said}"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: whatever all terms hold for. Without a term, that is everything.

    >>> str(Query((Term("state", (("failed",), ("crashed",))), Term("tag", (("a b", ""),), is_negated=True))))
    'state:failed,crashed -tag:"a b"*'
    """

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def asked(self, key: str) -> list[Term]:
        """The terms of `key`, but for those that are negated."""
        return [term for term in self.terms if term.key == key and not term.is_negated]

    def with_term(self, key: str, *values: str, is_negated: bool = False) -> Query:
        """This query, narrowed down by one more term."""
        return Query((*self.terms, Term(key, tuple((value,) for value in values), is_negated)))


def _quoted(piece: str, plain: re.Pattern[str]) -> str:
    if not piece or plain.fullmatch(piece):
        return piece
    escaped = piece.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
