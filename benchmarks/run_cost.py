"""What a run that does nothing costs: CPU of the whole tree, private memory, and how many fit into a second.

python -m benchmarks.run_cost
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import (
    SPREAD,
    Memory,
    memory_of,
    memory_of_idle_python,
    paired_ratio,
    print_table,
    run_python,
    spread,
    take_turns,
)
from benchmarks.processes import children_of
from benchmarks.serving import Asker, Server, asking, completed, serving
from flowsource.runs import RunState

RUNS = 200
ROUNDS = 10
BURSTS = 3
LOOK_EVERY = 0.01
WITHIN = 10.0
LIMITS = ("2", "16", "None")
FLOWS = """
from flowsource import flow

@flow
def nothing():
    pass

@flow
def wait():
    open({gate!r}).read()
"""
SCRIPT = """
from flowsource import LocalStorage, flow, serve

if __name__ == "__main__":
    source = LocalStorage({directory!r})
    serve(
        flow.from_source(source, "flows.py:nothing").to_deployment("cost"),
        flow.from_source(source, "flows.py:wait").to_deployment("cost"),
        limit={limit},
    )
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU for one run, by who used them."""

    serving: float
    running: float
    asking: float

    @property
    def served(self) -> float:
        """Of the whole tree of the server; who asks is somebody else."""
        return self.serving + self.running


@dataclass(frozen=True, slots=True)
class Burst:
    """Runs that were asked for at once: seconds until all were asked for, until all had ended, and CPU for one."""

    asking: float
    wall: float
    cost: Cost


def main() -> None:
    """Measure one after the other, in bursts, and one that waits; print a table of each."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "flows").mkdir()
        gate = root / "gate"
        os.mkfifo(gate)
        (root / "flows" / "flows.py").write_text(FLOWS.format(gate=str(gate)), encoding="utf-8")
        bursts = []
        for limit in LIMITS:
            script = SCRIPT.format(directory=str(root / "flows"), limit=limit)
            home = root / f"limit-{limit}"
            with serving(script, home) as server, asking(home) as asker:
                if limit == LIMITS[0]:
                    _print_cpu(server, asker)
                    _print_memory(server, asker, gate)
                bursts.append((limit, *_bursts(server, asker)))
        _print_bursts(bursts)


def _print_cpu(server: Server, asker: Asker) -> None:
    each = RUNS // ROUNDS

    def nothing() -> float:
        return sum(run_python("pass").cpu for _ in range(each)) / each

    def run() -> Cost:
        return _cost_of(server, asker, each)

    empty, costs = take_turns(nothing, run, rounds=ROUNDS)

    def row(name: str, seconds: Sequence[float]) -> list[str]:
        return [name, *spread(seconds), f"{paired_ratio(seconds, empty):.2f}"]

    print_table(
        f"CPU of one no-op run, of {RUNS} one after the other: {ROUNDS} rounds of {each}",
        ["", *SPREAD, "x nothing"],
        [
            row("python -c pass", empty),
            row("whole tree of the server", [cost.served for cost in costs]),
            row("  the serving process", [cost.serving for cost in costs]),
            row("  the fork server and the run", [cost.running for cost in costs]),
            row("apart from it: the asker", [cost.asking for cost in costs]),
        ],
    )


def _cost_of(server: Server, asker: Asker, count: int) -> Cost:
    before, asked = server.usage(), time.process_time()
    for _ in range(count):
        asker.do(asker.run("nothing/cost"))
    used, own = server.usage() - before, time.process_time() - asked
    return Cost(used.serving / count, used.running / count, own / count)


def _bursts(server: Server, asker: Asker) -> tuple[list[float], list[Burst]]:
    return take_turns(lambda: run_python("pass").wall, lambda: _burst(server, asker), rounds=BURSTS)


def _burst(server: Server, asker: Asker) -> Burst:
    before, own, began = server.usage(), time.process_time(), time.perf_counter()
    asker.do(_ask_many(asker))
    asking = time.perf_counter() - began
    unfinished = [state for state in RunState if not state.is_final]
    # Looked at now and then, for to be woken by each of them would be a burden to the machine they run on.
    while asker.do(asker.store.runs(states=unfinished, limit=1)):
        time.sleep(LOOK_EVERY)
    wall, used, own = time.perf_counter() - began, server.usage() - before, time.process_time() - own
    for run in asker.do(asker.store.runs(limit=RUNS)):
        completed(run)
    return Burst(asking, wall, Cost(used.serving / RUNS, used.running / RUNS, own / RUNS))


async def _ask_many(asker: Asker) -> None:
    for _ in range(RUNS):
        await asker.ask("nothing/cost")


def _print_bursts(bursts: Sequence[tuple[str, list[float], list[Burst]]]) -> None:
    print_table(
        f"{RUNS} no-op runs asked for in a burst: median of {BURSTS} bursts; a time of one run is wall / {RUNS}",
        ["limit", "runs/s", "least", "most", "asked within s", "ms a run", "x nothing", "CPU ms", "asker's CPU ms"],
        [
            [
                limit,
                f"{median(RUNS / burst.wall for burst in taken):.0f}",
                f"{min(RUNS / burst.wall for burst in taken):.0f}",
                f"{max(RUNS / burst.wall for burst in taken):.0f}",
                f"{median(burst.asking for burst in taken):.2f}",
                f"{median(burst.wall / RUNS for burst in taken) * 1000:.1f}",
                f"{paired_ratio([burst.wall / RUNS for burst in taken], empty):.2f}",
                f"{median(burst.cost.served for burst in taken) * 1000:.1f}",
                f"{median(burst.cost.asking for burst in taken) * 1000:.1f}",
            ]
            for limit, empty, taken in bursts
        ],
    )


def _print_memory(server: Server, asker: Asker, gate: Path) -> None:
    nothing, taken = take_turns(memory_of_idle_python, lambda: _memory_of_run(server, asker, gate), rounds=ROUNDS)

    def row(name: str, memory: Sequence[Memory]) -> list[str]:
        private = [one.private for one in memory]
        return [
            name,
            *(f"{value:.1f}" for value in (min(private), median(private), max(private))),
            f"{median(one.resident for one in memory):.1f}",
            f"{paired_ratio(private, [one.private for one in nothing]):.2f}",
        ]

    print_table(
        f"Memory of one run that waits: {ROUNDS} rounds",
        ["", "private min MiB", "p50", "max", "resident p50", "x nothing"],
        [row("a python that waits", nothing), row("a run that waits", taken)],
    )


def _memory_of_run(server: Server, asker: Asker, gate: Path) -> Memory:
    run = asker.do(asker.ask("wait/cost"))
    with _opened_once_read(gate):
        [pid] = children_of(server.fork_server)
        memory = memory_of(pid)
    asker.do(asker.wait(run))
    return memory


@contextmanager
def _opened_once_read(pipe: Path) -> Iterator[None]:
    """Hold the pipe open for writing, once somebody reads it, so that the reader waits until the block ends."""
    deadline = time.perf_counter() + WITHIN
    while True:
        try:
            held = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO or time.perf_counter() > deadline:
                raise
            time.sleep(0.001)
    try:
        yield
    finally:
        os.close(held)


if __name__ == "__main__":
    main()
