"""How fast a long log is kept, read from its end and looked through, in SQLite and in PostgreSQL.

python -m benchmarks.log_lines [LINES]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from uuid import UUID

import anyio
import anyio.to_thread

from benchmarks.measure import print_table
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import AFTER_ALL, BEFORE_ALL, LineFilter, LogLine
from tests.store.words import registration, serve
from tests.support.postgres import postgres_server

LINES = 1_000_000
BATCH = 1000
ROUNDS = 5
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
# One line in ten thousand has a needle, and the first error stands at three quarters.
EVERY = 10_000
NEEDLE = "needle in the hay"


def main() -> None:
    """Fill both, ask each in turns with what it is held against, and print the table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # Durable, as it is where people run it.
        server = stack.enter_context(postgres_server("fsync=on", "full_page_writes=on", "shared_buffers=128MB"))
        database = stack.enter_context(server.database())
        rows: list[list[str]] = []
        for name, address in (("SQLite", f"sqlite:///{place / 'flowsource.db'}"), ("PostgreSQL", database)):
            rows += anyio.run(partial(measure, name, address, place, number))
    print_table(
        f"A log of {number:,} lines; medians of {ROUNDS} rounds, beside a file of the same text in the same round",
        ["what", "s", "beside", "s", "ratio"],
        rows,
    )


async def measure(name: str, address: str, place: Path, number: int) -> list[list[str]]:
    """The rows of the table for one store."""
    file = place / f"{name}.log"
    async with open_store(address) as store:
        run = await (await serve(store, registration(), now=NOW, lease=timedelta(days=1))).ask()
        ours, plain = await fill(store, run.id, file, number)
        tail = partial(store.find_lines, run.id, begin=AFTER_ALL, backwards=True, limit=100)
        error = partial(store.find_lines, run.id, LineFilter(level=40), limit=1)
        asked: list[tuple[str, Callable[[], Awaitable[object]], list[str]]] = [
            ("the last 100 lines", tail, ["tail", "-n", "100", str(file)]),
            ("a text that is nowhere", partial(through, store, run.id, "nowhere"), _grep("nowhere", file)),
            ("a text in one line of 10,000", partial(through, store, run.id, NEEDLE), _grep(NEEDLE, file)),
            ("the first error", error, ["grep", "-m1", "^ERROR", str(file)]),
            ("all of it", partial(through, store, run.id, ""), ["cat", str(file)]),
        ]
        rows = [_row(f"{name}: kept, {number / ours:,.0f} lines/s", ours, "the file, fsync each 1000", plain)]
        for what, ask, command in asked:
            pairs = [await _pair(ask, command) for _ in range(ROUNDS)]
            rows.append(_row(f"{name}: {what}", *_medians(pairs, command[0])))
        return rows


async def fill(store: Store, run_id: UUID, file: Path, number: int) -> tuple[float, float]:
    """Keep the lines in the store and in a file, a batch of each in turns; the seconds that each took."""
    ours = plain = 0.0
    with file.open("wb") as out:
        async for batch in _batches(number):
            began = time.perf_counter()
            await store.append_lines(run_id, batch)
            ours += time.perf_counter() - began
            began = time.perf_counter()
            out.write("".join(f"{'ERROR' if line.level >= 40 else 'INFO'} {line.text}\n" for line in batch).encode())
            out.flush()
            os.fsync(out.fileno())
            plain += time.perf_counter() - began
    return ours, plain


async def _batches(number: int) -> AsyncIterator[list[LogLine]]:
    for first in range(1, number + 1, BATCH):
        yield [
            LogLine(
                seq=seq,
                at=NOW,
                level=40 if seq * 4 >= number * 3 and seq % 1000 == 0 else 20,
                text=f"line {seq} of a flow that tells what it does, {NEEDLE if seq % EVERY == 0 else 'as most do'}",
            )
            for seq in range(first, first + BATCH)
        ]


async def through(store: Store, run_id: UUID, text: str) -> int:
    """Look through all of a log; how many lines were found."""
    place, found = BEFORE_ALL, 0
    while True:
        page = await store.find_lines(run_id, LineFilter(text=text), begin=place)
        found += len(page.lines)
        if page.is_last:
            return found
        place = page.upto


def _grep(text: str, file: Path) -> list[str]:
    return ["grep", "-i", "-F", text, str(file)]


async def _pair(ask: Callable[[], Awaitable[object]], command: Sequence[str]) -> tuple[float, float]:
    began = time.perf_counter()
    await ask()
    ours = time.perf_counter() - began
    began = time.perf_counter()
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    await anyio.to_thread.run_sync(
        partial(subprocess.run, command, stdout=subprocess.DEVNULL, check=False, env=environ)
    )
    return ours, time.perf_counter() - began


def _medians(pairs: Sequence[tuple[float, float]], name: str) -> tuple[float, str, float]:
    return median(ours for ours, _ in pairs), name, median(plain for _, plain in pairs)


def _row(what: str, ours: float, beside: str, plain: float) -> list[str]:
    return [what, f"{ours:.3f}", beside, f"{plain:.3f}", f"{ours / plain:.1f}"]


if __name__ == "__main__":
    main()
