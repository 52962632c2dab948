"""The clock of a store that is elsewhere: known to whoever uses it, whatever the clock of his own machine says."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.server_access import TOKEN
from flowsource.store import open_store
from flowsource.store.clock import Clock, nearest
from tests.server.serving import served
from tests.support.clocks import clock
from tests.support.postgres import postgres_server

pytestmark = pytest.mark.anyio

APART = timedelta(minutes=10)
TELL = """
import sys
from datetime import UTC, datetime
import anyio
from flowsource.store import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        print(datetime.now(UTC).isoformat(), store.now().isoformat())

anyio.run(main)
"""
MOMENTS = st.timedeltas(-2 * APART, 2 * APART)


@pytest.fixture(params=["http", "postgresql"])
async def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, Mapping[str, str]]]:
    """The address of a store that has a clock of its own, and the variables with which it is used."""
    if request.param == "postgresql":
        with postgres_server() as server, server.database() as address:
            yield address, {}
        return
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as behind, served(behind) as http:
        yield http.url, {TOKEN: http.secret}


@pytest.mark.parametrize("apart", [APART, -APART], ids=["ahead", "behind"])
async def test_who_has_a_wrong_clock_knows_the_time_of_the_store(
    elsewhere: tuple[str, Mapping[str, str]], apart: timedelta, tmp_path: Path
) -> None:
    address, variables = elsewhere
    with clock(tmp_path / "clock") as wrong:
        wrong.set_to(datetime.now(UTC) + apart)
        before = datetime.now(UTC)
        environ = {**os.environ, **variables, **wrong.environ}
        done = await anyio.run_process([sys.executable, "-c", TELL, address], env=environ)
        after = datetime.now(UTC)
    here, there = map(datetime.fromisoformat, done.stdout.decode().split())
    assert before + apart <= here <= after + apart
    # To within what an answer takes, which is no more than all of it took.
    assert before - (after - before) <= there <= after + (after - before)


@given(ahead=MOMENTS, thought=MOMENTS, sent=st.timedeltas(timedelta(0), APART), back=st.timedeltas(timedelta(0), APART))
def test_what_is_thought_of_a_clock_is_never_further_off_after_an_answer(
    ahead: timedelta, thought: timedelta, sent: timedelta, back: timedelta
) -> None:
    now = nearest(thought, least=ahead - back, most=ahead + sent)
    assert abs(now - ahead) <= max(sent, back)
    assert abs(now - ahead) <= abs(thought - ahead)


def test_an_answer_during_which_our_own_clock_was_set_back_says_nothing() -> None:
    told = Clock()
    told.hear(datetime.now(UTC), asked_at=datetime.now(UTC) + APART)
    assert abs(told.now() - datetime.now(UTC)) < APART / 2
