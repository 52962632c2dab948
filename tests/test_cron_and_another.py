"""Cron expressions, held against a library that reads them another way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given
from hypothesis import strategies as st

from flowsource.errors import InvalidSchedule
from flowsource.schedules import Cron, upcoming


def one_or_two(*of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A field that is one of these, or a list of two."""
    return st.one_of(*of) | st.lists(st.one_of(*of), min_size=2, max_size=2).map(",".join)


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    return st.integers(least, most).map(str)


def ranges(least: int, most: int) -> st.SearchStrategy[str]:
    """Such as 3-7 and 3-7/2."""
    ends = st.lists(st.integers(least, most), min_size=2, max_size=2, unique=True).map(sorted)
    return st.builds(lambda ends, step: f"{ends[0]}-{ends[1]}{step}", ends, st.sampled_from(["", "/2", "/3"]))


def steps(*of: int) -> st.SearchStrategy[str]:
    return st.sampled_from(of).map(lambda step: f"*/{step}")


named_hours = one_or_two(numbers(0, 23), ranges(0, 22))
# The other library reads a star of minutes beside named hours, and steps of hours, as time goes on; we as hours.
any_hours = named_hours | steps(2, 5, 6)
named_minutes = one_or_two(numbers(0, 59), ranges(0, 59))
any_minutes = named_minutes | st.just("*") | steps(5, 15, 20)
days = st.just("*") | steps(2, 3, 10) | one_or_two(numbers(1, 31), ranges(1, 31)) | st.just("L")
months = st.just("*") | steps(2, 5) | one_or_two(numbers(1, 12), ranges(1, 12), st.just("FEB"), st.just("JAN"))
nth = st.builds(lambda day, which: f"{day}#{which}", st.sampled_from(["0", "3", "FRI"]), st.integers(1, 4))
weekdays = st.just("*") | steps(2, 3) | one_or_two(numbers(0, 7), ranges(1, 6), st.just("SUN")) | one_or_two(nth)

steady = st.sampled_from(["UTC", "Asia/Kathmandu", "Asia/Kolkata", "America/Phoenix"])
# Where clocks are set by half an hour (Lord Howe) the other library loses an instant.
changing = st.sampled_from(
    [
        *("Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "America/St_Johns"),
        *("America/Santiago", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran", "Africa/Cairo", "Atlantic/Azores"),
    ]
)
moments = st.integers(0, 8 * 365 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
# The nights in which those clocks are set are few among all moments.
nights = st.builds(
    lambda day, hours: day + timedelta(hours=hours),
    st.sampled_from(
        [
            *(datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)),
            *(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 4, 24, tzinfo=UTC), datetime(2026, 10, 29, tzinfo=UTC)),
            *(datetime(2022, 3, 21, tzinfo=UTC), datetime(2022, 9, 21, tzinfo=UTC), datetime(2026, 9, 6, tzinfo=UTC)),
        ]
    ),
    st.integers(-24, 12),
)


def check(expression: str, zone: str, moment: datetime) -> None:
    """Both find the same five instants, or neither any."""
    try:
        theirs = islice(CronSim(expression, moment.astimezone(ZoneInfo(zone))), 5)
        expected = [at.astimezone(UTC) for at in theirs]
    except CronSimError:
        expected = []
    if expected:
        assert upcoming(Cron(expression, zone), now=moment, count=5) == expected, expression
    else:
        with pytest.raises(InvalidSchedule):
            Cron(expression, zone)


@given(any_minutes, any_hours | st.just("*"), days, months, weekdays, steady, moments)
def test_two_libraries_agree_on_when_an_expression_fires(
    minute: str, hour: str, day: str, month: str, weekday: str, zone: str, moment: datetime
) -> None:
    check(f"{minute} {hour} {day} {month} {weekday}", zone, moment)


@given(
    st.tuples(named_minutes, named_hours) | st.tuples(any_minutes, st.just("*")),
    *(days, weekdays, changing, moments | nights),
)
def test_two_libraries_agree_where_clocks_are_set(
    times: tuple[str, str], day: str, weekday: str, zone: str, moment: datetime
) -> None:
    check(f"{times[0]} {times[1]} {day} * {weekday}", zone, moment)
