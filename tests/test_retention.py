"""How long things are kept is said in words, and what may go is decided from values."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from flowsource.errors import InvalidSettings
from flowsource.retention import Keeping, Limits, kept_for, limits, may_go
from flowsource.runs import Run, RunState
from flowsource.settings import Settings
from tests.store.words import HOUR, NOW, SECOND

DAY = timedelta(days=1)


def test_how_long_is_a_length_of_time_or_forever() -> None:
    assert [kept_for(text) for text in ("1h", "90d", "1W2d", "forever", "Forever")] == [HOUR, 90 * DAY, 9 * DAY] + 2 * [
        None
    ]


@pytest.mark.parametrize("text", ["0d", "59m", "90", "-1d", "never", "36501d", "999999999w"])
def test_what_is_no_such_length_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"'{text}' is not how long.*Give 1h or more, as in 90d, or forever"):
        kept_for(text)


def test_settings_say_how_long_and_tell_all_that_is_wrong_with_it() -> None:
    assert Settings.load({}).keeping == Keeping(runs=90 * DAY, logs=30 * DAY)
    given = Settings.load({"FLOWSOURCE_KEEP_RUNS": "forever", "FLOWSOURCE_KEEP_LOGS": "2w"})
    assert given.keeping == Keeping(runs=None, logs=14 * DAY)
    with pytest.raises(InvalidSettings, match=r"FLOWSOURCE_KEEP_RUNS: 'x' is not.* FLOWSOURCE_KEEP_LOGS: 'y' is not"):
        Settings.load({"FLOWSOURCE_KEEP_RUNS": "x", "FLOWSOURCE_KEEP_LOGS": "y"})


@pytest.mark.parametrize(
    ("keeping", "expected"),
    [
        (Keeping(runs=2 * DAY, logs=DAY), Limits(runs=NOW - 2 * DAY, logs=NOW - DAY)),
        (Keeping(runs=DAY, logs=2 * DAY), Limits(runs=NOW - DAY, logs=NOW - DAY)),
        (Keeping(runs=DAY, logs=None), Limits(runs=NOW - DAY, logs=NOW - DAY)),
        (Keeping(runs=None, logs=DAY), Limits(runs=None, logs=NOW - DAY)),
        (Keeping(runs=None, logs=None), Limits(runs=None, logs=None)),
    ],
)
def test_a_log_is_not_kept_longer_than_its_run(keeping: Keeping, expected: Limits) -> None:
    assert replace(limits(keeping, now=NOW), events=None) == expected


def test_events_are_kept_by_a_time_of_their_own() -> None:
    assert limits(Keeping(runs=DAY, events=2 * DAY), now=NOW).events == NOW - 2 * DAY
    assert limits(Keeping(events=None), now=NOW).events is None
    assert Settings.load({"FLOWSOURCE_KEEP_EVENTS": "2w"}).keeping.events == 14 * DAY


@pytest.mark.parametrize("state", RunState)
def test_only_what_has_ended_long_ago_may_go_unless_it_is_the_newest(state: RunState) -> None:
    ended_at = NOW if state.is_final else None
    common: dict[str, Any] = {"due_at": NOW, "created_at": NOW, "changed_at": NOW, "scheduled_at": NOW}
    run = Run(id=uuid4(), name="n", deployment_id=uuid4(), deployment="a/b", state=state, ended_at=ended_at, **common)
    assert may_go(run, NOW + SECOND, is_newest=False) == state.is_final
    for before, is_newest in ((NOW, False), (NOW + SECOND, True), (None, False)):
        assert not may_go(run, before, is_newest=is_newest)
