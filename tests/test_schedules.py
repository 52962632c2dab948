"""When a deployment wants to run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.errors import InvalidSchedule
from flowsource.schedules import (
    Cron,
    Interval,
    Schedule,
    content_key,
    due,
    last_due,
    schedule_from_json,
    schedules_from_arguments,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
moments = st.integers(0, 15 * 365 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
anchors = st.builds(lambda moment, zone: moment.astimezone(ZoneInfo(zone)), moments, zones)
intervals = st.builds(Interval, st.timedeltas(timedelta(seconds=1), timedelta(days=40)), anchors)
crons = st.builds(
    Cron,
    st.sampled_from(["* * * * *", "*/7 3-5 * * *", "30 2 * * *", "0 0 29 2 *", "@daily", "15 10 * * 1-5"]),
    zones,
)


@given(st.one_of(intervals, crons), moments)
def test_the_next_instant_is_strictly_later_and_none_lies_between(schedule: Schedule, moment: datetime) -> None:
    at = schedule.next_after(moment)
    assert at > moment
    assert at.utcoffset() == timedelta(0)
    assert schedule.next_after(at - timedelta(microseconds=1)) == at


@given(intervals, moments, st.integers(0, 30), st.integers(1, 20))
def test_the_last_that_are_due_are_the_end_of_all_that_are(
    schedule: Interval, start: datetime, periods: int, count: int
) -> None:
    now = start + schedule.every * periods
    found = last_due(schedule, after=start, now=now, count=count)
    assert found == list(due(schedule, after=start, now=now))[-count:]


@given(crons, moments, st.timedeltas(timedelta(0), timedelta(days=3)), st.integers(1, 20))
def test_the_same_holds_for_cron(schedule: Cron, start: datetime, away: timedelta, count: int) -> None:
    now = start + away
    found = last_due(schedule, after=start, now=now, count=count)
    assert found == list(due(schedule, after=start, now=now))[-count:]


@pytest.mark.parametrize("schedule", [Cron("* * * * *"), Interval(timedelta(minutes=1), NOON)])
def test_a_long_absence_costs_no_walk_over_all_that_was_missed(schedule: Schedule) -> None:
    found = last_due(schedule, after=NOON - timedelta(days=4000), now=NOON, count=3)
    assert found == [NOON - timedelta(minutes=2), NOON - timedelta(minutes=1), NOON]


def test_a_time_that_the_clock_skips_fires_once_when_the_clock_is_past_it() -> None:
    schedule = Cron("30 2 * * *", "America/New_York")
    day = datetime(2026, 3, 8, 5, tzinfo=UTC)
    instants = list(due(schedule, after=day, now=day + timedelta(hours=12)))
    assert [at.astimezone(ZoneInfo("America/New_York")).strftime("%H:%M") for at in instants] == ["03:00"]


def test_a_fixed_time_that_the_clock_repeats_fires_once() -> None:
    schedule = Cron("30 1 * * *", "America/New_York")
    day = datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert len(list(due(schedule, after=day, now=day + timedelta(hours=12)))) == 1


def test_every_half_hour_means_every_real_half_hour_when_the_clock_repeats() -> None:
    schedule = Cron("*/30 * * * *", "America/New_York")
    day = datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert len(list(due(schedule, after=day, now=day + timedelta(hours=3)))) == 6


@given(st.one_of(intervals, crons))
def test_a_schedule_survives_json(schedule: Schedule) -> None:
    assert schedule_from_json(schedule.to_json()) == schedule


def test_an_interval_declared_again_is_the_same_whatever_its_anchor() -> None:
    assert content_key(Interval(timedelta(hours=1), NOON)) == content_key(
        Interval(timedelta(hours=1), NOON + timedelta(minutes=5))
    )
    assert content_key(Interval(timedelta(hours=1), NOON)) != content_key(Interval(timedelta(hours=2), NOON))
    assert content_key(Cron("0 2 * * *")) != content_key(Cron("0 2 * * *", "Europe/Berlin"))


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("nonsense", "UTC", "cron: 'nonsense'"),
        ("0 0 31 2 *", "UTC", "can fire"),
        ("61 * * * *", "UTC", "five fields"),
        ("* * * * *", "Mars/Olympus", "timezone: 'Mars/Olympus'"),
        ("* * * * *", "../etc", "timezone"),
        ("* * * * *", None, "timezone"),
        ("", "UTC", "it has 0 fields"),
        ("0 2 * * * 0 2099", "UTC", "it has 7 fields"),
        ("R 2 * * *", "UTC", "'R' means another moment each time"),
        (5, "UTC", "cron: 5 is not text"),
    ],
)
def test_a_cron_that_cannot_fire_is_refused_by_name(expression: Any, zone: Any, said: str) -> None:
    with pytest.raises(InvalidSchedule, match=said.replace("*", r"\*")):
        Cron(expression, zone)


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [("* * * * * * 2020", "UTC", "can fire"), ("0 2 * * *", "Mars/Olympus", "timezone: 'Mars/Olympus'")],
)
def test_a_stored_schedule_that_no_longer_fires_can_be_read_and_says_so_when_asked(
    expression: str, zone: str, said: str
) -> None:
    stored = {"kind": "cron", "expression": expression, "timezone": zone}
    schedule = schedule_from_json(stored)
    assert schedule.to_json() == stored
    with pytest.raises(InvalidSchedule, match=said):
        schedule.next_after(NOON)


def test_the_hours_of_an_interval_stay_an_hour_when_the_clock_of_its_anchor_changes() -> None:
    anchor = datetime(2026, 10, 31, 12, tzinfo=ZoneInfo("America/New_York"))
    hourly = Interval(timedelta(hours=1), anchor)
    night = datetime(2026, 11, 1, 4, tzinfo=UTC)
    instants = list(due(hourly, after=night, now=night + timedelta(hours=5)))
    assert instants == [night + timedelta(hours=hour) for hour in range(1, 6)]


def made(**given: Any) -> tuple[Schedule, ...]:
    return schedules_from_arguments(
        **{"interval": None, "cron": None, "schedule": None, "schedules": None, "now": NOON, **given}
    )


def test_schedules_are_given_in_one_way() -> None:
    with pytest.raises(InvalidSchedule, match=r"interval, cron: only one of these may be given; .* schedules="):
        made(interval=60, cron="* * * * *")


def test_an_interval_or_a_cron_expression_may_be_one_or_several() -> None:
    minutes, hours = (Interval(timedelta(seconds=seconds), NOON) for seconds in (60, 3600))

    assert made() == ()
    assert made(interval=60) == (minutes,)
    assert made(interval=[60, timedelta(hours=1)]) == (minutes, hours)
    assert made(cron=("0 2 * * *", "0 4 * * *")) == (Cron("0 2 * * *"), Cron("0 4 * * *"))
    assert made(schedule=hours) == (hours,)
    assert made(schedules=[hours, Cron("0 2 * * *", "Europe/Berlin")]) == (hours, Cron("0 2 * * *", "Europe/Berlin"))


def test_a_schedule_is_given_once() -> None:
    with pytest.raises(InvalidSchedule, match=r"^cron: the same schedule is given more than once"):
        made(cron=["0 2 * * *", "0 2 * * *"])


@pytest.mark.parametrize("interval", [0, -5, 0.2, True, "60", float("nan"), float("inf"), 1e20, 1e10])
def test_an_interval_that_makes_no_sense_is_refused(interval: object) -> None:
    with pytest.raises(InvalidSchedule, match="interval"):
        made(interval=interval)


def test_an_interval_is_made_of_a_length_and_an_aware_instant() -> None:
    with pytest.raises(InvalidSchedule, match="interval: 60 is not a timedelta"):
        Interval(60, NOON)  # type: ignore[arg-type]
    with pytest.raises(InvalidSchedule, match="aware datetime"):
        Interval(timedelta(hours=1), NOON.replace(tzinfo=None))


@pytest.mark.parametrize("given", [{"schedule": "* * * * *"}, {"schedules": ["* * * * *"]}])
def test_a_schedule_given_as_text_is_refused_with_what_to_say_instead(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchedule, match=r"schedules?: '\* \* \* \* \*' is not a schedule; .* say cron="):
        made(**given)


@pytest.mark.parametrize(
    ("every", "said"),
    [(60, "every minute"), (7200, "every 2 hours"), (86400, "every day"), (45, "every 45 seconds"), (1.5, "every 1.5")],
)
def test_an_interval_is_said_as_people_say_it(every: float, said: str) -> None:
    assert Interval(timedelta(seconds=every), NOON).describe().startswith(said)
