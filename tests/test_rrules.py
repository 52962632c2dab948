"""Recurrence rules, held against what they are on a clock that is never set, and against clocks that are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsource.errors import InvalidSchedule
from flowsource.schedules import RRule, due, upcoming

NEW_YORK = ZoneInfo("America/New_York")
SPRING = datetime(2026, 3, 8, tzinfo=NEW_YORK)
AUTUMN = datetime(2026, 11, 1, tzinfo=NEW_YORK)

frequencies = st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])
parts = st.fixed_dictionaries(
    {"INTERVAL": st.integers(1, 7)},
    optional={
        "BYHOUR": st.integers(0, 23),
        "BYMINUTE": st.integers(0, 59),
        "BYDAY": st.sampled_from(["MO", "TU,TH", "SA,SU"]),
        "BYMONTHDAY": st.integers(1, 28),
    },
)
ways = st.floats(0, 1)


@settings(max_examples=30)
@given(frequencies, parts, ways)
def test_a_rule_is_what_it_is_when_it_is_walked_from_its_beginning(
    frequency: str, said: dict[str, Any], way: float
) -> None:
    start = datetime(2023, 6, 1, 7, 35, 10, tzinfo=UTC).replace(tzinfo=None)
    text = ";".join([f"FREQ={frequency}", *(f"{name}={value}" for name, value in said.items())])
    try:
        whole: Any = rrulestr(text, dtstart=start)
    except ValueError:
        whole = None  # As each second hour from seven o'clock on is never midnight.
    ends = start + timedelta(days=366 * 40)
    if whole is None or next(iter(whole.replace(until=ends)), None) is None:
        with pytest.raises(InvalidSchedule):
            RRule(f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:{text}")
        return
    rule = RRule(f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:{text}")
    # Near its beginning, so that to walk there is soon done.
    near = start + way * timedelta(days=7 if frequency in ("SECONDLY", "MINUTELY") else 1500)
    expected = [at.replace(tzinfo=UTC) for at in islice(whole.xafter(near), 3)]
    assert upcoming(rule, now=near.replace(tzinfo=UTC), count=3) == expected


def shown(rule: str, *, after: datetime, hours: int) -> list[str]:
    """What the clock in New York shows when it fires, with the zone that it is in."""
    begin = after.astimezone(UTC)
    instants = due(RRule(rule, "America/New_York"), after=begin, now=begin + timedelta(hours=hours))
    return [at.astimezone(NEW_YORK).strftime("%H:%M %Z") for at in instants]


def test_a_time_that_the_clock_skips_fires_when_the_clock_is_past_it() -> None:
    assert shown("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", after=SPRING, hours=12) == ["03:30 EDT"]


def test_a_time_that_the_clock_repeats_fires_once() -> None:
    assert shown("FREQ=DAILY;BYHOUR=1;BYMINUTE=30", after=AUTUMN, hours=12) == ["01:30 EDT"]


def test_what_fires_within_a_day_goes_on_as_time_does() -> None:
    assert shown("FREQ=HOURLY", after=SPRING, hours=3) == ["01:00 EST", "03:00 EDT", "04:00 EDT"]
    assert shown("FREQ=HOURLY", after=AUTUMN, hours=3) == ["01:00 EDT", "01:00 EST", "02:00 EST"]


def test_the_end_of_a_rule_may_be_told_in_utc() -> None:
    rule = RRule("FREQ=DAILY;BYHOUR=9;UNTIL=20260102T140000Z", "America/New_York")
    days = upcoming(rule, now=datetime(2026, 1, 1, tzinfo=UTC), count=5)
    assert [at.day for at in days] == [1, 2]
    assert rule.next_after(days[-1]) is None


def test_dates_may_be_left_out() -> None:
    rule = RRule("RRULE:FREQ=DAILY;BYHOUR=9\nEXDATE:20260102T090000,20260103T090000\nEXDATE:20260105T090000")
    assert [at.day for at in upcoming(rule, now=datetime(2026, 1, 1, tzinfo=UTC), count=3)] == [1, 4, 6]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no FREQ"),
        ("nonsense", "it has no FREQ"),
        ("FREQ=SOMETIMES", "FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;BYHOUR=25", "rrule"),
        ("FREQ=SECONDLY;COUNT=10001", "its COUNT is more than 10,000; say UNTIL"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "it finds no day"),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "it finds no day"),
        ("FREQ=SECONDLY;BYSETPOS=2", "it finds no day"),
        ("FREQ=SECONDLY;BYMONTH=12;BYHOUR=23;BYMINUTE=59;BYSECOND=59", "it takes too long"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=HOURLY", "more than one RRULE"),
        ("FREQ=DAILY\nRDATE:20260101", "RDATE is not one of"),
        ("DTSTART;TZID=Europe/Berlin:20260101T090000\nRRULE:FREQ=DAILY", "say timezone="),
        ("DTSTART:yesterday\nRRULE:FREQ=DAILY", "is not a date such as"),
        ("FREQ=DAILY;" + "BYHOUR=1;" * 1000, "6500 are the most"),
        (5, "rrule: 5 is not text"),
    ],
)
def test_a_rule_that_cannot_fire_is_refused_with_the_reason(text: Any, said: str) -> None:
    with pytest.raises(InvalidSchedule, match=said):
        RRule(text)


def test_the_zone_of_a_rule_is_one_that_there_is() -> None:
    with pytest.raises(InvalidSchedule, match="timezone: 'Mars/Olympus'"):
        RRule("FREQ=DAILY", "Mars/Olympus")
