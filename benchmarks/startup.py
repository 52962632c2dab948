"""How soon a server is ready, and what it needs while there is nothing to do.

python -m benchmarks.startup
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.measure import (
    SPREAD,
    memory_of,
    memory_of_idle_python,
    paired_ratio,
    print_table,
    run_python,
    spread,
    take_turns,
)
from benchmarks.serving import serving
from flowsource.demo.repository import FixtureRepository
from tests.support.git_server import GitServer, git_server

COUNTS = (1, 10, 50)
IDLE_COUNTS = (1, 50)
ROUNDS = 3
IDLE_SECONDS = 20.0
# What is done once after the start, such as watching and a first look at the schedules, is no part of being idle.
SETTLING_SECONDS = 1.0
FLOW = """
@flow
def number_{n}():
    pass
"""
SCRIPT = """
from flowsource import GitRepository, flow, serve

def deployment(n):
    return flow.from_source(GitRepository({url!r}), f"flows.py:number_{{n}}").to_deployment("startup")

if __name__ == "__main__":
    serve(*map(deployment, range({count})))
"""


def main() -> None:
    """Start servers in turns with a Python that does nothing, let some idle, and print a table of each."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        repository = FixtureRepository.create(root / "remote" / "repository.git")
        flows = "from flowsource import flow\n" + "".join(FLOW.format(n=n) for n in range(max(COUNTS)))
        repository.commit_files({"flows.py": flows})
        with git_server(root / "remote") as remote:
            rows = [row for count in COUNTS for row in _started(root / f"{count}", remote, count)]
            print_table(
                f"From the start of the process until its deployments are registered: {ROUNDS} rounds",
                ["deployments of one repository", *SPREAD, "x nothing", "requests"],
                rows,
            )
            _print_idle(root / "idle", remote)


def _started(root: Path, remote: GitServer, count: int) -> list[list[str]]:
    script = SCRIPT.format(url=remote.url("repository.git"), count=count)
    homes = (root / f"{number}" for number in range(ROUNDS + 1))

    def start() -> tuple[float, float, int, int]:
        home, seen = next(homes), len(remote.log)
        cold = _start(script, home)
        between = len(remote.log)
        return cold, _start(script, home), between - seen, len(remote.log) - between

    nothing, starts = take_turns(lambda: run_python("pass").wall, start, rounds=ROUNDS)
    cold, warm, cold_requests, warm_requests = zip(*starts, strict=True)

    def row(name: str, seconds: Sequence[float], requests: Sequence[int]) -> list[str]:
        return [name, *spread(seconds), f"{paired_ratio(seconds, nothing):.1f}", f"{median(requests):.0f}"]

    return [row(f"{count}, for the first time", cold, cold_requests), row(f"{count}, again", warm, warm_requests)]


def _start(script: str, home: Path) -> float:
    with serving(script, home) as server:
        return server.ready_after


def _print_idle(root: Path, remote: GitServer) -> None:
    print_table(
        f"Idle for {IDLE_SECONDS:g} s at the default pull_interval; CPU in percent of one core, memory in MiB",
        [
            "deployments",
            "CPU %",
            "RSS serving",
            "RSS fork server",
            "PSS serving",
            "PSS fork server",
            "PSS",
            "x nothing",
        ],
        [_idled(root / f"{count}", remote, count) for count in IDLE_COUNTS],
    )


def _idled(root: Path, remote: GitServer, count: int) -> list[str]:
    with serving(SCRIPT.format(url=remote.url("repository.git"), count=count), root) as server:
        time.sleep(SETTLING_SECONDS)
        before, began = server.usage(), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        used, seconds = server.usage() - before, time.perf_counter() - began
        main, fork_server = memory_of(server.pid), memory_of(server.fork_server)
    whole = main.proportional + fork_server.proportional
    sizes = main.resident, fork_server.resident, main.proportional, fork_server.proportional, whole
    return [
        f"{count}",
        f"{used.whole / seconds * 100:.3f}",
        *(f"{size:.1f}" for size in sizes),
        f"{whole / memory_of_idle_python().proportional:.1f}",
    ]


if __name__ == "__main__":
    main()
