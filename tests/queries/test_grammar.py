"""The grammar of queries: what is understood, what is refused, and that text and values tell the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.errors import InvalidQuery
from flowsource.queries.moments import length
from flowsource.queries.runs import KEYS, parse_runs
from flowsource.queries.terms import Query, Term
from tests.queries.asking import NOW, pieces, queries


def read(text: str) -> Query:
    return parse_runs(text, now=NOW)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("state:failed,crashed", Term("state", (("failed",), ("crashed",)))),
        ("state:Timed-Out", Term("state", (("timed_out",),))),
        ("state:canceled", Term("state", (("cancelled",),))),
        ("tag:etl", Term("tag", (("etl",),))),
        ("-deployment:ping", Term("deployment", (("ping",),), is_negated=True)),
        ("name:brave*", Term("name", (("brave", ""),))),
        ("name:*-*er", Term("name", (("", "-", "er"),))),
        ("name:**", Term("name", (("", ""),))),
        ('name:"a*b, c"', Term("name", (("a*b, c",),))),
        ('name:"say \\"hi\\" \\\\ \\x"', Term("name", (('say "hi" \\ \\x',),))),
        ('name:pre" fix"*', Term("name", (("pre fix", ""),))),
        ('tag:""', Term("tag", (("",),))),
        ("brave", Term("", (("brave",),))),
        ("-brave,calm", Term("", (("brave",), ("calm",)), is_negated=True)),
        ('"two words: here"', Term("", (("two words: here",),))),
        ("revision:3F2A91C", Term("revision", (("3f2a91c",),))),
        ("id:0192f3a4-17*", Term("id", (("0192f3a417",),))),
        ("after:2d", Term("after", (("2029-12-30T12:00:00Z",),))),
        ("after:1w12h", Term("after", (("2029-12-25T00:00:00Z",),))),
        ("before:2026-01-01", Term("before", (("2026-01-01T00:00:00Z",),))),
        ("before:2026-01-01T10:30+02:00", Term("before", (("2026-01-01T08:30:00Z",),))),
        ("after:yesterday", Term("after", (("2029-12-31T00:00:00Z",),))),
    ],
)
def test_a_word_is_understood(text: str, term: Term) -> None:
    assert read(text) == Query((term,))


def test_words_are_in_order_whatever_space_is_between() -> None:
    assert [term.key for term in read(" state:failed\n\ttag:a tag:b  x ").terms] == ["state", "tag", "tag", ""]
    assert read("") == Query()


def test_days_are_those_of_the_zone_also_where_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    morning = datetime(2026, 3, 30, 6, tzinfo=UTC)
    for text, begins in (("today", "2026-03-29T22:00:00Z"), ("yesterday", "2026-03-28T23:00:00Z")):
        assert parse_runs(f"after:{text}", now=morning, zone=berlin).terms[0].values == ((begins,),)
    assert parse_runs("after:2026-07-01T02:00", now=morning, zone=berlin).terms[0].values == (
        ("2026-07-01T00:00:00Z",),
    )
    assert parse_runs("after:2d", now=morning, zone=berlin) == parse_runs("after:2d", now=morning)


def test_without_a_zone_days_are_those_of_this_machine() -> None:
    [term] = parse_runs("after:2026-07-01T02:00", now=NOW, zone=None).terms
    assert datetime.fromisoformat(term.values[0][0]) == datetime(2026, 7, 1, 2).astimezone()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stat:failed", "'stat:failed' (at 1): there is no key 'stat'; did you mean state? there are state, deploy"),
        ("a http://x", "'http://x' (at 3): there is no key 'http'; there are"),
        ("state:faild", "'state:faild' (at 1): did you mean failed? there are scheduled, claimed"),
        ("state:failed state:crashed", "(at 14): nothing has more than one state; say state:THIS,THAT for either"),
        ("tag:", "'tag:' (at 1): a value is missing"),
        ("tag:a,,b", "a value is missing"),
        ("-", "'-' (at 1): a word is missing"),
        ("--limit", "a word that begins with - goes in quotes"),
        ('name:"no end', "a quotation has no end"),
        ("name:a\0", "has a character that no text has"),
        ("id:19", "give the first digits of the id of a run, 4 or more of 0-9 and a-f"),
        ("revision:main", "give the first digits of a commit"),
        ("after:soon", "give how long ago it was (90m, 2d), today, yesterday, or a time such as 2026-03-01"),
        ("after:999999999w", "further away than all time"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_place_and_what_there_is(text: str, said: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        read(text)
    assert said in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidQuery) as refused:
        read("stat:x tag:etl after:soon")
    assert [(problem.place, problem.word) for problem in refused.value.problems] == [(1, "stat:x"), (16, "after:soon")]


def test_a_length_of_time_has_units() -> None:
    assert length("1d12h30m") == timedelta(days=1.5, minutes=30)
    for text in ("", "5", "d", "-1d", "1.5h", "1y", "999999999w"):
        with pytest.raises(ValueError, match=r"give a length|longer than all time"):
            length(text)


@given(queries())
def test_a_query_as_text_is_that_query(query: Query) -> None:
    assert read(str(query)) == query


@given(st.text(max_size=40) | st.lists(pieces(), max_size=4).map(" ".join))
def test_any_text_is_understood_or_refused_and_what_is_understood_has_one_spelling(text: str) -> None:
    try:
        query = read(text)
    except InvalidQuery:
        return
    assert read(str(query)) == query
    assert {term.key for term in query.terms} <= {"", *KEYS}
