"""When a deployment wants to run."""

from __future__ import annotations

from dataclasses import replace
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
    RRule,
    Schedule,
    content_key,
    due,
    last_due,
    schedule_from_json,
    upcoming,
    wait_of,
)
from flowsource.schedules.arguments import schedules_from_arguments

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
moments = st.integers(0, 15 * 365 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
zones = st.sampled_from(
    [
        *("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "America/St_Johns"),
        *("Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran", "Africa/Cairo"),
    ]
)
# When clocks are set, and one day is left out.
CHANGES = [
    (zone, datetime.fromisoformat(f"{at}:00Z"))
    for zone, at in [
        *(("Europe/Berlin", "2026-03-29T01:00"), ("Europe/Berlin", "2026-10-25T01:00")),
        *(("Europe/London", "2026-03-29T01:00"), ("Europe/London", "2026-10-25T01:00")),
        *(("America/New_York", "2026-03-08T07:00"), ("America/New_York", "2026-11-01T06:00")),
        *(("America/St_Johns", "2026-03-08T05:30"), ("America/St_Johns", "2026-11-01T04:30")),
        *(("America/Sao_Paulo", "2018-11-04T03:00"), ("America/Sao_Paulo", "2019-02-17T02:00")),
        *(("America/Santiago", "2026-09-06T04:00"), ("America/Santiago", "2026-04-05T03:00")),
        *(("Australia/Lord_Howe", "2026-10-03T15:30"), ("Australia/Lord_Howe", "2026-04-04T15:00")),
        *(("Africa/Casablanca", "2026-03-22T02:00"), ("Africa/Casablanca", "2026-02-15T02:00")),
        *(("Africa/Cairo", "2026-04-23T22:00"), ("Africa/Cairo", "2026-10-29T21:00")),
        *(("Asia/Tehran", "2022-03-21T20:30"), ("Asia/Tehran", "2022-09-21T19:30")),
        *(("Atlantic/Azores", "2026-03-29T01:00"), ("Atlantic/Azores", "2026-10-25T01:00")),
        *(("Pacific/Apia", "2011-12-30T10:00"), ("Antarctica/Troll", "2026-03-29T01:00")),
    ]
]
anchors = st.builds(lambda moment, zone: moment.astimezone(ZoneInfo(zone)), moments, zones)
lengths = st.timedeltas(timedelta(seconds=1), timedelta(days=40)) | st.integers(1, 40).map(timedelta)
intervals = st.builds(Interval, lengths, anchors, zones)
crons = st.builds(
    Cron,
    st.sampled_from(
        [
            "* * * * *",
            "*/7 3-5 * * *",
            "30 2 * * *",
            "0 0 29 2 *",
            "@daily",
            "15 10 * * 1-5",
            "0 6 L * *",
            "5 4 * * 5#3",
        ]
    ),
    zones,
)
rrules = st.builds(
    RRule,
    st.sampled_from(
        [
            *("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "FREQ=HOURLY;INTERVAL=5", "FREQ=MINUTELY;INTERVAL=45"),
            *("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SA;BYHOUR=0,1", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY;BYMONTHDAY=29"),
            *("DTSTART:20240331T013000\nRRULE:FREQ=DAILY;INTERVAL=3", "FREQ=SECONDLY;INTERVAL=1800"),
        ]
    ),
    zones,
)


@given(st.one_of(intervals, crons, rrules), moments)
def test_the_next_instant_is_strictly_later_and_none_lies_between(schedule: Schedule, moment: datetime) -> None:
    at = schedule.next_after(moment)
    assert at is not None
    assert at > moment
    assert at.utcoffset() == timedelta(0)
    assert schedule.next_after(at - timedelta(microseconds=1)) == at


@given(intervals, moments, st.integers(0, 30), st.integers(1, 20))
def test_the_last_that_are_due_are_the_end_of_all_that_are(
    schedule: Interval, start: datetime, periods: int, count: int
) -> None:
    now = start + schedule.period * periods
    found = last_due(schedule, after=start, now=now, count=count)
    assert found == list(due(schedule, after=start, now=now))[-count:]


@given(st.one_of(crons, rrules), moments, st.timedeltas(timedelta(0), timedelta(days=3)), st.integers(1, 20))
def test_the_same_holds_for_cron_and_rules(schedule: Schedule, start: datetime, away: timedelta, count: int) -> None:
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


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("0 0 29 2 1", ["2027-02-01", "2027-02-08", "2027-02-15"]),
        ("0 0 31 * *", ["2026-03-31", "2026-05-31", "2026-07-31"]),
        ("0 0 L * *", ["2026-03-31", "2026-04-30", "2026-05-31"]),
        ("0 0 15W * *", ["2026-03-16", "2026-04-15", "2026-05-15"]),
        ("0 0 * * 5#3", ["2026-03-20", "2026-04-17", "2026-05-15"]),
        ("0 0 * * 5#5", ["2026-05-29", "2026-07-31", "2026-10-30"]),
        ("0 0 * * L5", ["2026-03-27", "2026-04-24", "2026-05-29"]),
        # One of both days is enough, also of those that are counted within the month.
        ("0 0 13 * 5", ["2026-03-06", "2026-03-13", "2026-03-20"]),
        ("0 0 1 * 5#3", ["2026-03-20", "2026-04-01", "2026-04-17"]),
        ("0 0 L * 5#3", ["2026-03-20", "2026-03-31", "2026-04-17"]),
        ("0 0 15W * L5", ["2026-03-16", "2026-03-27", "2026-04-15"]),
        ("0 0 31 2 5", ["2027-02-05", "2027-02-12", "2027-02-19"]),
        # Beside a star, with or without a step, both must hold.
        ("0 0 */2 * 1", ["2026-03-09", "2026-03-23", "2026-04-13"]),
        ("0 0 13 * */5", ["2026-03-13", "2026-09-13", "2026-11-13"]),
        ("0 0 */10 * 5#3", ["2026-08-21", "2027-05-21", "2028-01-21"]),
    ],
)
def test_the_days_of_an_expression_are_those_of_debians_cron(expression: str, days: list[str]) -> None:
    found = upcoming(Cron(expression), now=NOON, count=3)
    assert [f"{at:%Y-%m-%d}" for at in found] == days


def test_both_days_must_hold_where_that_is_wanted() -> None:
    found = upcoming(Cron("0 0 13 * 5", day_or=False), now=NOON, count=3)
    assert [f"{at:%Y-%m-%d}" for at in found] == ["2026-03-13", "2026-11-13", "2027-08-13"]
    with pytest.raises(InvalidSchedule, match="finds no day"):
        Cron("0 0 1 * 5#3", day_or=False)


def test_an_expression_may_have_seconds() -> None:
    found = upcoming(Cron("30 12 * * * */20"), now=NOON, count=4)
    assert [f"{at:%H:%M:%S}" for at in found] == ["12:30:00", "12:30:20", "12:30:40", "12:30:00"]


# The algorithm of Debian's cron: it looks at its clock every minute, and makes up for what that was set past.
@given(
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.sets(st.integers(0, 23), min_size=1, max_size=5) | st.just(set(range(24))),
    *(st.sampled_from(CHANGES), st.integers(-15, 3)),
)
def test_whoever_looks_at_the_clock_every_minute_fires_at_the_same_instants(
    minutes: set[int], hours: set[int], change: tuple[str, datetime], start: int
) -> None:
    zone_name, set_at = change
    zone, begin = ZoneInfo(zone_name), set_at + timedelta(minutes=20 * start)

    def shown(at: datetime) -> datetime:
        return at.astimezone(zone).replace(tzinfo=None, fold=0)

    expected, minute = [], timedelta(minutes=1)
    latest = shown(begin - timedelta(hours=3))
    for count in range(-3 * 60, 9 * 60):
        at = begin + count * minute
        wall = shown(at)
        passed = [wall] if len(hours) == 24 or wall <= latest else _walls(latest, wall)
        is_new = len(hours) == 24 or wall > latest
        if count > 0 and is_new and any(each.minute in minutes and each.hour in hours for each in passed):
            expected.append(at)
        latest = max(latest, wall)
    expression = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
    now = begin + (9 * 60 - 1) * minute
    assert list(due(Cron(expression, zone_name), after=begin, now=now)) == expected, expression


def _walls(after: datetime, until: datetime) -> list[datetime]:
    """Each minute on a clock in (after, until]."""
    return [after + timedelta(minutes=count) for count in range(1, (until - after) // timedelta(minutes=1) + 1)]


@given(st.one_of(intervals, crons, rrules))
def test_a_schedule_survives_json(schedule: Schedule) -> None:
    assert schedule_from_json(schedule.to_json()) == schedule


def test_what_a_schedule_says_beside_its_instants_survives_json() -> None:
    said = Cron("0 2 * * *", day_or=False, slug="night", active=False, parameters={"n": [1]}, jitter=90, catchup="none")
    said = replace(said, max_lateness=600)
    assert schedule_from_json(said.to_json()) == said
    assert (said.spread, said.patience) == (timedelta(seconds=90), timedelta(minutes=10))


def test_a_schedule_of_an_earlier_version_can_be_read() -> None:
    assert schedule_from_json({"kind": "interval", "every": 60.0, "anchor": NOON.isoformat()}) == Interval(60, NOON)
    assert schedule_from_json({"kind": "cron", "expression": "@daily", "timezone": "UTC"}) == Cron("@daily")


def test_a_schedule_declared_again_is_known_by_what_it_says() -> None:
    hour = timedelta(hours=1)
    assert content_key(Interval(hour)) == content_key(Interval(3600))
    assert content_key(Interval(hour)) != content_key(Interval(hour, NOON)) != content_key(Interval(2 * hour, NOON))
    assert content_key(Cron("@daily")) != content_key(Cron("@daily", parameters={"n": 1}))
    assert content_key(Cron("@daily")) == content_key(Cron("@daily", active=False, jitter=5, catchup="all"))
    assert content_key(Cron("@daily", slug="night")) == content_key(Interval(60, slug="night"))
    assert content_key(RRule("FREQ=DAILY")) != content_key(RRule("FREQ=DAILY", "Asia/Tokyo"))
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


def test_days_of_an_interval_stay_at_the_hour_of_the_clock_in_its_zone() -> None:
    anchor = datetime(2026, 10, 30, 9, tzinfo=ZoneInfo("America/New_York"))
    days = upcoming(Interval(timedelta(days=1), anchor, "America/New_York"), now=anchor, count=4)
    assert [at.astimezone(ZoneInfo("America/New_York")).hour for at in days] == [9] * 4
    elsewhere = upcoming(Interval(timedelta(days=1), anchor), now=anchor, count=4)
    assert [at.hour for at in elsewhere] == [13] * 4


def test_an_interval_is_counted_from_its_anchor_or_from_when_it_is_given_one() -> None:
    later = NOON + timedelta(minutes=5)
    assert Interval(3600, NOON).anchored(later).next_after(later) == NOON + timedelta(hours=1)
    assert Interval(3600).anchored(later).next_after(later) == later + timedelta(hours=1)
    with pytest.raises(ValueError, match="anchored"):
        Interval(3600).next_after(NOON)


@given(crons, moments, st.timedeltas(timedelta(seconds=1), timedelta(hours=2)))
def test_a_run_comes_due_within_the_jitter_of_its_instant_and_always_at_the_same_time(
    schedule: Cron, moment: datetime, jitter: timedelta
) -> None:
    assert timedelta(0) <= wait_of("key", moment, jitter) < jitter
    assert wait_of("key", moment, jitter) == wait_of("key", moment, jitter)
    assert wait_of("key", moment, timedelta(0)) == timedelta(0)


def test_jitter_scatters_instants() -> None:
    waits = {wait_of("key", NOON + timedelta(days=day), timedelta(hours=1)) for day in range(100)}
    assert len({wait // timedelta(minutes=10) for wait in waits}) == 6
    assert wait_of("other", NOON, timedelta(hours=1)) != wait_of("key", NOON, timedelta(hours=1))


def test_the_next_instants_can_be_asked_for() -> None:
    assert len(upcoming(Cron("@hourly"), now=NOON, count=20)) == 20
    assert upcoming(RRule("DTSTART:20260301T130000\nRRULE:FREQ=DAILY;COUNT=2"), now=NOON, count=20) == [
        NOON + timedelta(hours=1),
        NOON + timedelta(hours=25),
    ]


def test_the_hours_of_an_interval_stay_an_hour_when_the_clock_of_its_anchor_changes() -> None:
    anchor = datetime(2026, 10, 31, 12, tzinfo=ZoneInfo("America/New_York"))
    hourly = Interval(timedelta(hours=1), anchor)
    night = datetime(2026, 11, 1, 4, tzinfo=UTC)
    instants = list(due(hourly, after=night, now=night + timedelta(hours=5)))
    assert instants == [night + timedelta(hours=hour) for hour in range(1, 6)]


def made(**given: Any) -> tuple[Schedule, ...]:
    return schedules_from_arguments(**given)


def test_schedules_are_given_in_one_way() -> None:
    with pytest.raises(InvalidSchedule, match=r"interval, cron: only one of these may be given; .* schedules="):
        made(interval=60, cron="* * * * *")


def test_an_interval_or_a_cron_expression_may_be_one_or_several() -> None:
    minutes, hours = (Interval(timedelta(seconds=seconds)) for seconds in (60, 3600))

    assert made() == ()
    assert made(interval=60) == (minutes,)
    assert made(interval=[60, timedelta(hours=1)]) == (minutes, hours)
    assert made(cron=("0 2 * * *", "0 4 * * *")) == (Cron("0 2 * * *"), Cron("0 4 * * *"))
    assert made(rrule="FREQ=DAILY") == (RRule("FREQ=DAILY"),)
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
    with pytest.raises(InvalidSchedule, match="interval: '60' is not a number of seconds or a timedelta"):
        Interval("60", NOON)  # type: ignore[arg-type]  # refused at run time too
    with pytest.raises(InvalidSchedule, match="aware datetime"):
        Interval(timedelta(hours=1), NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"slug": ""}, "slug: ''"),
        ({"slug": "a\nb"}, "slug"),
        ({"active": 1}, "active: 1 is neither True nor False"),
        ({"parameters": [1]}, "parameters: \\[1\\] is not a mapping"),
        ({"parameters": {"at": NOON}}, "parameters.at"),
        ({"jitter": -1}, "jitter: -1 is not a length of time"),
        ({"jitter": 10**400}, "jitter: 1000"),
        ({"max_lateness": -1}, "max_lateness: -1 is not a length of time"),
        ({"max_lateness": True}, "max_lateness: True is not"),
        ({"max_lateness": timedelta.max}, "up to a hundred years"),
        ({"jitter": timedelta(days=40_000)}, "jitter: .* is not a length of time"),
        ({"catchup": "some"}, "catchup: 'some' is none of 'latest', 'all', 'none'"),
    ],
)
@pytest.mark.parametrize("kind", [Cron, Interval, RRule])
def test_an_option_that_cannot_be_used_is_refused_by_name(kind: Any, options: dict[str, Any], said: str) -> None:
    rule = {Cron: "@daily", Interval: 60, RRule: "FREQ=DAILY"}[kind]
    with pytest.raises(InvalidSchedule, match=said):
        kind(rule, **options)


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
