"""Ids of runs sort by the time that they were made at, and are ids like any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowsource.store.names import new_run_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=300_000)).map(lambda since: EPOCH + since)


@given(at=INSTANTS, later=st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=1000)))
def test_a_later_run_has_a_later_id(at: datetime, later: timedelta) -> None:
    assert new_run_id(at) < new_run_id(at + later)


@given(at=INSTANTS)
def test_an_id_is_of_version_7_and_says_when_it_was_made(at: datetime) -> None:
    run_id = new_run_id(at)
    assert (run_id.version, run_id.variant) == (7, "specified in RFC 4122")
    assert run_id.int >> 80 == (at - EPOCH) // timedelta(milliseconds=1)


def test_ids_of_one_instant_differ() -> None:
    assert len({new_run_id(EPOCH) for _ in range(1000)}) == 1000
