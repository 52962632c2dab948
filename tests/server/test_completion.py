"""What the query box offers: words that go on as they may, and queries that can be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowsource.queries.runs import matches, parse_runs
from flowsource.runs import Run, RunState
from flowsource.server.pages.completion import completions, word_at_end

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RUN = Run(
    id=uuid4(),
    name="one",
    deployment_id=uuid4(),
    deployment="etl/nightly",
    state=RunState.COMPLETED,
    scheduled_at=NOW,
    due_at=NOW,
    created_at=NOW,
    changed_at=NOW,
)


@pytest.mark.parametrize(
    ("query", "offered"),
    [
        ("st", ["state:"]),
        ("tag:etl -de", ["tag:etl -deployment:"]),
        ("state:comp", ["state:completed"]),
        ("state:failed,cr", ["state:failed,crashed"]),
        ("state:completed", []),
        ("tag:", ["tag:etl", 'tag:"month end"', 'tag:"-x"']),
        ('tag:"mon', ['tag:"month end"']),
        ('tag:"month end" st', ['tag:"month end" state:']),
        ("after:1", ["after:1h", "after:1d"]),
        ("nobody", []),
        ("colour:r", []),
        ("name:", []),
    ],
)
def test_a_word_goes_on_as_it_may(query: str, offered: list[str]) -> None:
    assert completions(query, {"tag": ["etl", "month end", "-x"]}) == offered


def test_nothing_written_yet_may_be_any_key() -> None:
    assert completions("", {})[:3] == ["state:", "deployment:", "flow:"]


@given(some.text(min_size=1, alphabet=some.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_what_is_offered_asks_for_that_very_value(tag: str) -> None:
    for query in completions("tag:", {"tag": [tag]}):
        assert matches(parse_runs(query, now=NOW), replace(RUN, tags=(tag,)))


@given(some.text())
def test_any_text_has_a_last_word(query: str) -> None:
    word = word_at_end(query)
    assert query.startswith(word.before)
    completions(query, {"tag": ["a"]})
