"""From the text of a query to its terms, with everything that is wrong told at once."""

from __future__ import annotations

from difflib import get_close_matches

from flowsource.errors import InvalidQuery, QueryProblem
from flowsource.queries.kinds import PATTERN, Clock, Keys, Kind
from flowsource.queries.reading import Word, words_of
from flowsource.queries.terms import WORDS, Query, Term


def parse(text: str, keys: Keys, clock: Clock) -> Query:
    """The query that `text` is, of things that have `keys`; raises InvalidQuery."""
    problems: list[QueryProblem] = []
    terms: list[Term] = []
    seen: set[str] = set()
    # What no database can keep is nowhere to be found; it is written as it is kept.
    for word in words_of(text.encode("utf-8", "backslashreplace").decode()):
        try:
            term = _term(word, keys, clock)
            if not term.is_negated and term.key in seen and _kind(term.key, keys).is_alone:
                raise ValueError(f"nothing has more than one {term.key}; say {term.key}:THIS,THAT for either")
            if not term.is_negated:
                seen.add(term.key)
            terms.append(term)
        except ValueError as error:
            problems.append(QueryProblem(word.place, word.text, str(error)))
    if problems:
        raise InvalidQuery(problems)
    return Query(tuple(terms))


def check(query: Query, keys: Keys) -> None:
    """Raise InvalidQuery where `query` has a key that is none of `keys`: it was made for something else."""
    if problems := [
        QueryProblem(1, str(term), _no_such_key(term.key, keys))
        for term in query.terms
        if term.key != WORDS and term.key not in keys
    ]:
        raise InvalidQuery(problems)


def _kind(key: str, keys: Keys) -> Kind:
    return PATTERN if key == WORDS else keys[key]


def _term(word: Word, keys: Keys, clock: Clock) -> Term:
    if "\0" in word.text:
        raise ValueError("it has a character that no text has")
    if word.values is None:
        raise ValueError('a quotation has no end; close it with "')
    if word.text.startswith("--"):
        raise ValueError("a word that begins with - goes in quotes")
    if word.key != WORDS and word.key not in keys:
        raise ValueError(_no_such_key(word.key, keys))
    if not all(word.values):
        raise ValueError("a value is missing" if word.key else "a word is missing")
    kind = _kind(word.key, keys)
    return Term(word.key, tuple(kind.spell(value, clock) for value in word.values), word.is_negated)


def _no_such_key(key: str, keys: Keys) -> str:
    near = get_close_matches(key, keys, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f'there is no key {key!r}; {hint}there are {", ".join(keys)}. Words with a colon go in quotes: "a:b"'
