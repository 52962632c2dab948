"""How long a page of runs takes that are looked for by a query, among many.

python -m benchmarks.finding_runs [RUNS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import anyio
from sqlalchemy import Connection, insert, select

from benchmarks.measure import paired_ratio, percentile, print_table, run_python, take_turns
from flowsource.deployments import Declaration, FlowFacts
from flowsource.queries.runs import parse_runs
from flowsource.queries.terms import Query
from flowsource.revisions import Revision
from flowsource.runs import RunState
from flowsource.store import creating, open_store, registering
from flowsource.store.names import new_run_id
from flowsource.store.protocol import Store
from flowsource.store.sqlite import SqliteDatabase
from flowsource.store.tables import run_tags, runs
from flowsource.store.values import NewRun, Registration

RUNS = 100_000
ROUNDS = 30
NOW = datetime(2030, 1, 1, tzinfo=UTC)
DEPLOYMENTS = 20
RUNNERS = tuple(UUID(int=(0xAAAA << 112) + number) for number in range(3))
# One run in a hundred has failed, and one in a thousand is of the last deployment, which alone has the tag `rare`.
QUERIES = (
    "",
    "state:failed",
    "state:failed tag:common after:7d",
    "deployment:d1",
    "deployment:d19",
    "deployment:d*",
    "tag:common",
    "tag:rare",
    "after:2d before:1d",
    "-deployment:d1",
    "name:run-77",
    "revision:1111",
    "revision:ffff",
    "runner:aaaa",
    "runner:ffff",
    "trigger:after-ingest",
    "flow:nobody",
    "name:nobody",
    "name:nobody*",
    "schedule:nobody",
    "trigger:nobody",
    "id:ffff",
    "parent:ffff",
    "nobody",
)


def main() -> None:
    """Fill a store, ask for pages in turns with a Python that does nothing, and print the table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "flowsource.db"
        fill(file, number)
        rows = anyio.run(partial(ask_all, f"sqlite:///{file}"))
    print_table(
        f"A page of 50 among {number:,} runs: {ROUNDS} alternating rounds",
        ["query", "p50 ms", "p95 ms", "x nothing", "found"],
        rows,
    )


async def ask_all(address: str) -> list[list[str]]:
    """A row of the table for each query."""
    async with open_store(address) as store:
        return [await ask(store, text) for text in QUERIES]


async def ask(store: Store, text: str) -> list[str]:
    """What pages of the query cost."""
    query = parse_runs(text, now=NOW)
    found = len((await store.find_runs(query)).items)

    def page() -> float:
        return anyio.from_thread.run(_timed, store, query)

    pages, nothing = await anyio.to_thread.run_sync(
        lambda: take_turns(page, lambda: run_python("pass").wall, rounds=ROUNDS)
    )
    ratio = paired_ratio(pages, nothing)
    return [
        text or "(all)",
        *(f"{seconds * 1000:.1f}" for seconds in (median(pages), percentile(pages, 95))),
        f"{ratio:.2f}",
        f"{found}",
    ]


async def _timed(store: Store, query: Query) -> float:
    began = time.perf_counter()
    await store.find_runs(query, limit=50)
    return time.perf_counter() - began


def fill(file: Path, number: int, *, deployments: int = DEPLOYMENTS, now: datetime = NOW) -> None:
    """Keep so many runs of the 90 days before `now` in the store at `file`, of so many deployments."""
    database = SqliteDatabase(file)
    for first in range(0, number, 10_000):
        some = range(first, min(number, first + 10_000))
        database.write(partial(_add, which=some, number=number, deployments=deployments, now=now), durable=False)
    database.close()


def _add(connection: Connection, *, which: range, number: int, deployments: int, now: datetime) -> None:
    like = _one_of_each(connection, deployments, now)
    added = [_row(like, place, now - timedelta(days=90) * (1 - place / number)) for place in which]
    connection.execute(insert(runs), added)
    tags = [{"run_id": row["id"], "tag": tag} for row in added for tag in row["tags"]]
    connection.execute(insert(run_tags), tags)


def _one_of_each(connection: Connection, deployments: int, now: datetime) -> Sequence[dict[str, Any]]:
    found = connection.execute(select(runs).where(runs.c.name == "like").order_by(runs.c.id)).mappings().all()
    if found:
        return [dict(row) for row in found]
    new = [
        Registration(
            declared=Declaration(
                name=f"d{place}",
                entrypoint="flows.py:etl",
                source_key="key",
                source_label="label",
                tags=("rare" if place == deployments - 1 else "common",),
            ),
            facts=FlowFacts(name="etl"),
            active=Revision(id="1" * 40),
        )
        for place in range(deployments)
    ]
    long_ago = now - timedelta(days=100)
    for place, deployment in enumerate(registering.register(connection, uuid4(), new, lease_until=now, now=long_ago)):
        asked = NewRun(deployment_id=deployment.id, scheduled_at=long_ago, name="like")
        creating.create_run(connection, asked, now=long_ago + timedelta(seconds=place))
    return _one_of_each(connection, deployments, now)


def _row(like: Sequence[dict[str, Any]], place: int, at: datetime) -> dict[str, Any]:
    last = len(like) - 1
    deployment = last if place % 1000 == 7 else place % last
    return {
        **like[deployment],
        "id": new_run_id(at),
        "name": f"run-{place}",
        "state": RunState.FAILED if place % 100 == 3 else RunState.COMPLETED,
        **dict.fromkeys(("created_at", "changed_at", "scheduled_at", "due_at", "started_at", "ended_at"), at),
        "revision": Revision(id="1" * 40, ref="refs/heads/main", subject="fix totals", author="Ada").to_json(),
        "revision_id": "1" * 40,
        "runner_id": RUNNERS[place % len(RUNNERS)],
        "trigger": "after-ingest" if place % 50 == 4 else None,
    }


if __name__ == "__main__":
    main()
