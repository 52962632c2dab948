"""How the last word of a query may go on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flowsource.queries.runs import KEYS
from flowsource.runs import RunState

MOST = 12
# Keys of which the values are known beforehand, or which have usual ones.
_VALUES: Mapping[str, Sequence[str]] = {
    "state": [state.value for state in RunState],
    "after": ["1h", "1d", "7d", "30d"],
    "before": ["1h", "1d", "7d", "30d"],
}
_NEEDS_QUOTES = re.compile(r'[\s":,*\\]|^-')


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is being written: `before` is what stays of it, and `begun` is what goes on.

    Of `key:` values are wanted; it is None while the key itself is being written.
    """

    before: str
    key: str | None
    begun: str


def word_at_end(query: str) -> Word:
    """The last word of `query`.

    >>> word_at_end("state:failed -tag:et")
    Word(before='state:failed -tag:', key='tag', begun='et')
    >>> word_at_end("state:failed,cra")
    Word(before='state:failed,', key='state', begun='cra')
    """
    begin = 0
    is_quoted = False
    for place, letter in enumerate(query):
        if letter == '"':
            is_quoted = not is_quoted
        elif letter == " " and not is_quoted:
            begin = place + 1
    word = query[begin:]
    key, colon, values = word.removeprefix("-").partition(":")
    if not colon:
        minus = "-" if word.startswith("-") else ""
        return Word(query[:begin] + minus, None, key)
    begun = values.rpartition(",")[2] if not is_quoted else values
    return Word(query[: len(query) - len(begun)], key, begun.lstrip('"'))


def completions(query: str, known: Mapping[str, Iterable[str]]) -> list[str]:
    """Queries that `query` may become with its last word written to its end, `MOST` of them at most.

    `known` are the values that there are of some keys, such as the names of deployments.
    """
    word = word_at_end(query)
    if word.key is None:
        found: Iterable[str] = [f"{key}:" for key in KEYS if key.startswith(word.begun.lower())]
    else:
        values = _VALUES.get(word.key, known.get(word.key, ()))
        found = [written(one) for one in values if one.lower().startswith(word.begun.lower())]
    return [word.before + one for one in dict.fromkeys(found) if word.before + one != query][:MOST]


def written(value: str) -> str:
    """A value as it stands in a query."""
    if not _NEEDS_QUOTES.search(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
