"""A server that starts again with the same code leaves the database as it was, row by row."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flowsource.schedules import Cron, Interval, RRule, content_key
from flowsource.store import open_store
from tests.store.words import ANNA, HOUR, NOW, registration, serve

pytestmark = pytest.mark.anyio

# Who is there, and when that was told.
OF_PRESENCE = {"runners", "presence", "sqlite_sequence"}
DAILY = Cron("@daily", "Europe/Berlin")


def rows_of(file: Path) -> dict[str, list[dict[str, Any]]]:
    """All that the database holds, beside what tells of presence."""
    with sqlite3.connect(file) as database:
        database.row_factory = sqlite3.Row
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: [dict(row) for row in database.execute(f'SELECT * FROM "{name}"')] for name in tables}
    database.close()
    kept = {name: found for name, found in rows.items() if name not in OF_PRESENCE}
    kept["events"] = [event for event in kept["events"] if not event["name"].startswith("runner.")]
    return {
        name: [{column: value for column, value in row.items() if column != "updated_at"} for row in found]
        for name, found in kept.items()
    }


async def test_starts_that_say_the_same_leave_every_row_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "flowsource.db"
    new = registration(
        schedules=(Interval(3600), DAILY, RRule("FREQ=DAILY", slug="rule"), Cron("@weekly", active=False)),
        parameters={"n": 1},
        tags=("etl",),
        paused=False,
    )
    async with open_store(f"sqlite:///{file}") as store:
        server = await serve(store, new, lease=100 * HOUR)
        which = server.deployment.id
        await store.add_schedule(which, Interval(60, slug="mine"), ANNA, now=NOW)
        await store.set_schedule_active(which, content_key(Interval(3600)), False, ANNA, now=NOW)
        await store.remove_schedule(which, content_key(DAILY), ANNA, now=NOW)
        before = rows_of(file)
        assert len(before["schedules"]) == 5
        for hours in range(1, 5):
            await serve(store, new, now=NOW + hours * HOUR)
            assert rows_of(file) == before
