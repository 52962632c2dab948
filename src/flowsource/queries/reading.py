"""The words of a query, told apart: keys, values, and what was quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowsource.queries.terms import WORDS, Pattern

_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_KEY = re.compile(r"-?(?P<key>\w[\w./+-]*):")
_PIECE = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<star>\*+)|(?P<comma>,)|(?P<plain>[^",*]+)', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a query as it was written at `place` (from 1); `key` is WORDS where it has none.

    `values` is None where a quotation has no end. A value that nothing was given for is an empty tuple.
    """

    place: int
    text: str
    key: str
    values: tuple[Pattern, ...] | None
    is_negated: bool


def words_of(text: str) -> list[Word]:
    """The words of `text`, in order.

    >>> [word] = words_of('-name:brave*,"a b"')
    >>> word.key, word.values, word.is_negated
    ('name', (('brave', ''), ('a b',)), True)
    """
    return [_word(match.start() + 1, match[0]) for match in _WORD.finditer(text)]


def _word(place: int, text: str) -> Word:
    found = _KEY.match(text)
    is_negated = text.startswith("-")
    said = text[found.end() :] if found else text[is_negated:]
    return Word(place, text, found["key"] if found else WORDS, _values(said), is_negated)


def _values(text: str) -> tuple[Pattern, ...] | None:
    values: list[Pattern] = [()]
    end = 0
    for match in _PIECE.finditer(text):
        if match.start() != end:
            return None
        end = match.end()
        if match["comma"]:
            values.append(())
        elif match["star"]:
            values[-1] = (*(values[-1] or ("",)), "")
        else:
            said = match["plain"] if match["quoted"] is None else _ESCAPED.sub(r"\1", match["quoted"])
            *before, last = values[-1] or ("",)
            values[-1] = (*before, last + said)
    return tuple(values) if end == len(text) else None
