"""How long after it was asked for an ad-hoc run begins, and is seen to have ended.

python -m benchmarks.run_latency
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import SPREAD, paired_ratio, percentile, print_table, run_python, spread, take_turns
from benchmarks.serving import Asker, asking, serving
from flowsource.demo.repository import FixtureRepository

ROUNDS = 50
FLOWS = """
import time

from flowsource import flow

@flow
def speak():
    print(time.time())
"""
SCRIPT = """
from flowsource import GitRepository, LocalStorage, flow, serve

if __name__ == "__main__":
    serve(
        flow.from_source(LocalStorage({directory!r}), "flows.py:speak").to_deployment("directory"),
        flow.from_source(GitRepository({repository!r}), "flows.py:speak").to_deployment("git"),
    )
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds since the moment before a run was asked for, all by the clock of this machine."""

    accepted: float
    claimed: float
    spoke: float
    ended: float


def main() -> None:
    """Ask in turns with a Python that does nothing, and print the table."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        directory, home = root / "flows", root / "home"
        directory.mkdir()
        (directory / "flows.py").write_text(FLOWS, encoding="utf-8")
        repository = FixtureRepository.create(root / "repository.git")
        repository.commit_files({"flows.py": FLOWS})
        script = SCRIPT.format(directory=str(directory), repository=str(repository.path))
        rows = []
        with serving(script, home), asking(home) as asker:
            for source in ("directory", "git"):
                rows += _rows(asker, source)
    print_table(
        f"An ad-hoc run, from the moment it is asked for: {ROUNDS} rounds, each after a python -c pass",
        ["", *SPREAD, "p99 ms", "x nothing"],
        rows,
    )


def _rows(asker: Asker, source: str) -> list[list[str]]:
    nothing, latencies = take_turns(
        lambda: run_python("pass").wall, lambda: _latency(asker, f"speak/{source}"), rounds=ROUNDS
    )

    def row(name: str, seconds: Sequence[float]) -> list[str]:
        return [
            name,
            *spread(seconds),
            f"{percentile(seconds, 99) * 1000:.1f}",
            f"{paired_ratio(seconds, nothing):.2f}",
        ]

    return [
        row(f"python -c pass, beside {source}", nothing),
        row(f"{source}: asked -> request stored", [one.accepted for one in latencies]),
        row(f"{source}: asked -> claim begun", [one.claimed for one in latencies]),
        row(f"{source}: asked -> first line of the flow", [one.spoke for one in latencies]),
        row(f"{source}: asked -> asker sees the end", [one.ended for one in latencies]),
    ]


def _latency(asker: Asker, name: str) -> Latency:
    async def ask() -> Latency:
        asked_at = time.time()
        run = await asker.ask(name)
        accepted_at = time.time()
        run = await asker.wait(run)
        ended_at = time.time()
        [line] = await asker.store.lines(run.id)
        assert run.claimed_at is not None
        moments = accepted_at, run.claimed_at.timestamp(), float(line.text), ended_at
        return Latency(*(moment - asked_at for moment in moments))

    return asker.do(ask())


if __name__ == "__main__":
    main()
