"""Cron expressions, held against a library that reads them another way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from flowsource.schedules import Cron, upcoming

minutes = st.sampled_from(["*", "0", "30", "*/15", "5,50", "10-12"])
hours = st.sampled_from(["*", "2", "1", "*/6", "9-17", "0,12"])
# What libraries read in different ways is left out: a step of days beside a day of the week, and an n-th of those.
days = st.sampled_from(
    ["1 {} *", "13 {} 1-5", "L {} *", "31 {} *", "*/10 {} *", "* {} SUN", "* {} 5#3", "* {} 7", "1 {} 0"]
)
months = st.sampled_from(["*", "1-6", "*/5", "JAN,NOV"])
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Sao_Paulo"])
moments = st.integers(0, 8 * 365 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(minutes, hours, days, months, zones, moments)
def test_two_libraries_agree_on_when_an_expression_fires(
    minute: str, hour: str, day: str, month: str, zone: str, moment: datetime
) -> None:
    expression = f"{minute} {hour} {day.format(month)}"
    expected = [at.astimezone(UTC) for at in islice(CronSim(expression, moment.astimezone(ZoneInfo(zone))), 5)]
    assert upcoming(Cron(expression, zone), now=moment, count=5) == expected, expression
