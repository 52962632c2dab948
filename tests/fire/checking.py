"""What holds after any fault: the one check that ends each test which kills, cuts or stops something."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

from flowsource.errors import RunNotFound
from flowsource.runs import Run
from flowsource.snapshots.cache import SnapshotCache
from flowsource.store.protocol import Store
from flowsource.store.values import BEFORE_ALL
from tests.fire.serving import unsound
from tests.store.words import runner_ids
from tests.support.live import processes_below

# Code for flows: each of its attempts signs once, in a file that every process can append to.
SIGN = """
def sign():
    import os
    from flowsource import current_run
    run = current_run()
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(ledger, f"{run.id} {run.attempt}\\n".encode())
    os.close(ledger)
"""
# As many as a server gives at once.
ALL = 100_000


async def untrue(
    store: Store,
    home: Path,
    *,
    acknowledged: Collection[UUID] = (),
    ledger: Path | None = None,
    instants: Mapping[UUID, Collection[datetime]] | None = None,
    secrets: Collection[bytes] = (),
) -> list[str]:
    """What does not hold of a store, and of the home of its servers, once those have ended; nothing if all is well.

    `acknowledged` are runs that somebody was told of as created, `ledger` is where attempts signed, `instants` are
    those of the schedules of deployments, and `secrets` what is to be nowhere.
    """
    runs = await store.runs(limit=ALL)
    return [
        *await _without_an_owner(store, runs),
        *_begun_twice(ledger),
        *await _missing(store, acknowledged),
        *(f"process {pid} is left" for pid in processes_below(home)),
        *(await unsound(SnapshotCache(home / "cache")) if (home / "cache").is_dir() else []),
        *_where_a_secret_is(home, secrets),
        *_off_schedule(runs, instants or {}),
        *[wrong for run in runs for wrong in await _gaps(store, run)],
    ]


async def _without_an_owner(store: Store, runs: Iterable[Run]) -> list[str]:
    there = set(await runner_ids(store))
    return [
        f"{run.name} is {run.state}, and its runner is gone"
        for run in runs
        if run.state.is_in_progress and run.runner_id not in there
    ]


def _begun_twice(ledger: Path | None) -> list[str]:
    signed = ledger.read_text().splitlines() if ledger is not None and ledger.exists() else []
    return [f"run and attempt {entry} began {count} times" for entry, count in Counter(signed).items() if count > 1]


async def _missing(store: Store, acknowledged: Collection[UUID]) -> list[str]:
    wrong = []
    for run_id in acknowledged:
        try:
            await store.run(str(run_id))
        except RunNotFound:
            wrong.append(f"run {run_id} was acknowledged, and is not there")
    return wrong


def _where_a_secret_is(home: Path, secrets: Collection[bytes]) -> list[str]:
    files = [Path(place, name) for place, _, names in os.walk(home) for name in names] if secrets else []
    return [
        f"a secret is in {file}"
        for file in files
        if file.is_file() and any(one in file.read_bytes() for one in secrets)
    ]


def _off_schedule(runs: Iterable[Run], instants: Mapping[UUID, Collection[datetime]]) -> list[str]:
    made = Counter((run.deployment_id, run.scheduled_at) for run in runs if run.schedule is not None)
    wanted = {(deployment, instant) for deployment, of_it in instants.items() for instant in of_it}
    return [
        *(f"{instant:%H:%M:%S.%f} has no run" for _, instant in sorted(wanted - set(made))),
        *(f"{instant:%H:%M:%S.%f} has {count} runs" for (_, instant), count in made.items() if count > 1),
        *(f"{at:%H:%M:%S.%f} is no instant" for of, at in made if of in instants and (of, at) not in wanted),
    ]


async def _gaps(store: Store, run: Run) -> list[str]:
    lines = await store.lines(run.id, after=BEFORE_ALL, limit=ALL)
    told: dict[int, list[int]] = {}
    for line in lines:
        told.setdefault(line.attempt, []).append(line.seq)
    return [
        f"{run.name}, attempt {attempt}: the lines are not counted without a gap"
        for attempt, numbers in told.items()
        if numbers != list(range(1, len(numbers) + 1))
    ]
