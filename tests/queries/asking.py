"""Queries and pieces of them, made at random."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from flowsource.queries.terms import Pattern, Query, Term
from flowsource.runs import RunState

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
# Few letters, so that things meet; and all that has a meaning to a database or to the grammar.
LETTERS = "abBä*?[]%_\\\"',:- ^"
TAGS = ("etl", "a", "A", "a b", "ä", "[a]", "%", "b_b")


def texts(*, most: int = 4) -> st.SearchStrategy[str]:
    """Short texts that are full of signs."""
    return st.text(LETTERS, max_size=most)


def patterns() -> st.SearchStrategy[Pattern]:
    """Patterns, in which no two stars stand side by side."""
    return st.lists(texts(most=2), min_size=1, max_size=4).map(
        lambda some: tuple(one for place, one in enumerate(some) if one or place in (0, len(some) - 1))
    )


def moments() -> st.SearchStrategy[Pattern]:
    """Instants near NOW, as a query spells them."""
    near = st.integers(-5, 5).map(lambda count: NOW + timedelta(minutes=count))
    return near.map(lambda at: (at.isoformat().removesuffix("+00:00") + "Z",))


def terms() -> st.SearchStrategy[Term]:
    """One term."""

    def of(key: str, value: st.SearchStrategy[Pattern]) -> st.SearchStrategy[Term]:
        values = st.lists(value, min_size=1, max_size=3).map(tuple)
        return st.builds(Term, st.just(key), values, st.booleans())

    digits = st.text("0123456789abcdef", min_size=4, max_size=6).map(lambda text: (text,))
    return st.one_of(
        of("state", st.sampled_from(RunState).map(lambda state: (str(state),))),
        *(of(key, patterns()) for key in ("deployment", "flow", "name", "schedule", "trigger", "")),
        of("deployment", st.sampled_from(["a", "b", "etl/a", "etl/*", "*"]).map(lambda text: tuple(text.split("*")))),
        of("tag", patterns() | st.sampled_from(TAGS).map(lambda tag: (tag,))),
        of("after", moments()),
        of("before", moments()),
        of("revision", digits | st.sampled_from([("1111",), ("2222",), ("cccc",)])),
        of("id", digits),
        of("parent", digits),
        of("runner", digits),
    )


def queries() -> st.SearchStrategy[Query]:
    """Queries for runs, as parsing gives them."""

    def with_one_state(some: list[Term]) -> Query:
        states = [term for term in some if term.key == "state" and not term.is_negated]
        return Query(tuple(term for term in some if term not in states[1:]))

    return st.lists(terms(), max_size=3).map(with_one_state)


def pieces() -> st.SearchStrategy[str]:
    """What looks like a word of a query."""
    return st.builds(
        lambda minus, key, value: f"{minus}{key}{value}",
        st.sampled_from(["", "-", "--"]),
        st.sampled_from(["", "name:", "tag:", "state:", "after:", "id:", "nme:", ":"]),
        texts() | st.sampled_from(["failed", "2d", "today", "0192", '"a b"', "a,b"]),
    )
