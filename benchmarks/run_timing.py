"""How late a scheduled run begins, and how soon one that is cancelled has ended.

python -m benchmarks.run_timing
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measure import SPREAD, paired_ratio, percentile, print_table, run_python, spread, take_turns
from benchmarks.serving import Asker, asking, serving
from flowsource.promotions import Author
from flowsource.runner.requests import wait_until_final
from flowsource.runs import Run, RunState
from flowsource.store.values import about

SCHEDULED = 120
ROUNDS = 20
GRACE = 1
FLOWS = """
import signal
import time

from flowsource import flow

@flow
def speak():
    print(time.time())

@flow
def nap():
    print("asleep")
    time.sleep(600)

@flow
def ignore():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("asleep")
    until = time.monotonic() + 600
    while time.monotonic() < until:
        try:
            time.sleep(1)
        except BaseException:
            pass
"""
SCRIPT = """
from flowsource import LocalStorage, flow, serve

if __name__ == "__main__":
    source = LocalStorage({directory!r})
    serve(
        flow.from_source(source, "flows.py:speak").to_deployment("timing", interval=1),
        flow.from_source(source, "flows.py:nap").to_deployment("timing"),
        flow.from_source(source, "flows.py:ignore").to_deployment("timing", grace_seconds={grace}),
    )
"""


def main() -> None:
    """Let one run come due each second, then cancel others, and print a table of each."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "flows").mkdir()
        (root / "flows" / "flows.py").write_text(FLOWS, encoding="utf-8")
        script = SCRIPT.format(directory=str(root / "flows"), grace=GRACE)
        with serving(script, root / "home"), asking(root / "home") as asker:
            _print_lateness(asker)
            _print_cancelling(asker)


def _print_lateness(asker: Asker) -> None:
    time.sleep(SCHEDULED)
    late = asker.do(_lateness(asker))
    print_table(
        f"A run that is scheduled, one each second, from its instant to the first line of the flow: {len(late)} runs",
        [*SPREAD, "p99 ms"],
        [[*spread(late), f"{percentile(late, 99) * 1000:.1f}"]],
    )


async def _lateness(asker: Asker) -> list[float]:
    late = []
    for run in await asker.store.runs(states=[RunState.COMPLETED], limit=SCHEDULED):
        [line] = await asker.store.lines(run.id)
        late.append(float(line.text) - run.scheduled_at.timestamp())
    return late


def _print_cancelling(asker: Asker) -> None:
    def row(name: str, seconds: Sequence[float], nothing: Sequence[float]) -> list[str]:
        ratio = f"{paired_ratio(seconds, nothing):.2f}"
        return [name, *spread(seconds), f"{percentile(seconds, 99) * 1000:.1f}", ratio]

    def measured(name: str, flow: str, *, grace: float = 0) -> list[str]:
        nothing, taken = take_turns(
            lambda: run_python("pass").wall, lambda: asker.do(_cancel(asker, f"{flow}/timing")), rounds=ROUNDS
        )
        return row(name, [seconds - grace for seconds in taken], nothing)

    rows = [
        measured("it ends when it is told to", "nap"),
        measured("it does not, after its grace", "ignore", grace=GRACE),
    ]
    print_table(
        f"A run that is cancelled, from the request to its end, seen by who asked: {ROUNDS} rounds",
        ["", *SPREAD, "p99 ms", "x nothing"],
        rows,
    )


async def _cancel(asker: Asker, name: str) -> float:
    run = await asker.ask(name)
    await _until_it_speaks(asker, run)
    began = time.perf_counter()
    await asker.store.ask_cancel(run.id, Author(by="benchmark"), now=datetime.now(UTC))
    ended = await wait_until_final(asker.store, run)
    if ended.state is not RunState.CANCELLED:
        raise RuntimeError(f"run {ended.name} is {ended.state}: {ended.failure}")
    return time.perf_counter() - began


async def _until_it_speaks(asker: Asker, run: Run) -> None:
    async with asker.store.changes(about(run.id)) as ear:
        while not await asker.store.lines(run.id):
            await ear.wait(timedelta(seconds=1))


if __name__ == "__main__":
    main()
