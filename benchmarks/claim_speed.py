"""How many runs are claimed and ended in a second, by several processes at once, in SQLite and in PostgreSQL.

python -m benchmarks.claim_speed [DIRECTORY]

Both databases are in DIRECTORY, by default that of temporary files, and write to its disk as they do for users.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from uuid import uuid4

import anyio
import sqlalchemy

from benchmarks.measure import percentile, print_table
from flowsource.deployments import Declaration, FlowFacts
from flowsource.revisions import Revision
from flowsource.runs import RunState
from flowsource.store import creating, finding, open_database, open_store, registering
from flowsource.store.values import NewRun, Outcome, Registration
from tests.support.postgres import postgres_server

DUE = 10_000
CLAIMERS = (1, 4, 16)
FOR = timedelta(seconds=5)
AT_ONCE = 1000
ENDED = Outcome(state=RunState.COMPLETED)
NOW = datetime.now(UTC)
REGISTRATION = Registration(
    declared=Declaration(name="bench", entrypoint="flows.py:bench", source_key="key", source_label="label"),
    facts=FlowFacts(name="bench"),
    active=Revision(id="1" * 40, ref="refs/heads/main"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What one claimer tells: seconds of each claim, and of each end."""

    claims: list[float]
    ends: list[float]


def main() -> None:
    """Measure both, in turns, with few and many claimers; print a table."""
    rows = []
    with databases(Path(sys.argv[1]) if sys.argv[1:] else None) as addresses:
        for claimers in CLAIMERS:
            rates = {}
            for name, address in addresses.items():
                fill(address)
                told = race(address, claimers)
                claims = [one for ours in told for one in ours.claims]
                ends = [one for ours in told for one in ours.ends]
                rates[name] = len(claims) / FOR.total_seconds()
                ratio = f"{rates[name] / rates['SQLite']:.2f}"
                figures = [median(claims), percentile(claims, 99), median(ends), percentile(ends, 99)]
                rows.append(
                    [f"{name}, {claimers}", f"{rates[name]:.0f}", ratio, *(f"{one * 1000:.1f}" for one in figures)]
                )
    header = ("claimers", "runs/s", "x SQLite", "claim p50 ms", "p99 ms", "end p50 ms", "p99 ms")
    print_table(f"Claimed one at a time and ended at once, of {DUE} runs that are due", header, rows)


@contextmanager
def databases(place: Path | None) -> Iterator[dict[str, str]]:
    """The address of a new database of each kind."""
    with (
        tempfile.TemporaryDirectory(dir=place) as directory,
        postgres_server("fsync=on", "full_page_writes=on", place=place) as server,
        server.database() as address,
    ):
        yield {"SQLite": f"sqlite:///{directory}/flowsource.db", "PostgreSQL": address}


def fill(address: str) -> None:
    """Have as many runs due as there are to be."""
    database = open_database(address)

    def top_up(connection: sqlalchemy.Connection) -> bool:
        [deployment] = registering.register(connection, uuid4(), [REGISTRATION], lease_until=NOW, now=NOW)
        due = finding.newest_runs(
            connection, deployment_id=None, states=[RunState.SCHEDULED], parent_id=None, limit=DUE
        )
        for _ in range(min(DUE - len(due), AT_ONCE)):
            creating.create_run(connection, NewRun(deployment_id=deployment.id, scheduled_at=NOW), now=NOW)
        return len(due) < DUE

    while database.write(top_up, durable=False, alone=True):
        pass
    database.close()


def race(address: str, claimers: int) -> list[Told]:
    """Have so many processes claim for a while."""
    context = multiprocessing.get_context("spawn")
    pipes = []
    processes = []
    for _ in range(claimers):
        ours, theirs = context.Pipe()
        process = context.Process(target=claim, args=(theirs, address))
        process.start()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    told = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    return told


def claim(pipe: Connection, address: str) -> None:
    """Claim and end one run after the other for a while, and tell how long each took."""

    async def work() -> Told:
        told = Told([], [])
        async with open_store(address) as store:
            runner_id = uuid4()
            [deployment] = await store.register(
                runner_id, [REGISTRATION], lease_until=NOW + timedelta(hours=1), now=NOW
            )
            pipe.send("ready")
            pipe.recv()
            until = time.monotonic() + FOR.total_seconds()
            while (begun := time.monotonic()) < until:
                claimed = await store.claim(runner_id, [deployment.id], limit=1, now=NOW)
                told.claims.append((at := time.monotonic()) - begun)
                for run in claimed.runs:
                    await store.finish(run.id, run.epoch, ENDED, at=NOW, transition_id=uuid4(), began_at=NOW)
                    told.ends.append(time.monotonic() - at)
        return told

    pipe.send(anyio.run(work))


if __name__ == "__main__":
    main()
