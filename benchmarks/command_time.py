"""What a command of the terminal costs from its start to its end, beside a Python that does nothing.

python -m benchmarks.command_time
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from uuid import uuid4

import anyio

from benchmarks.measure import Cost, paired_ratio, print_table, run_python, take_turns
from flowsource.deployments import Declaration, FlowFacts
from flowsource.revisions import Revision
from flowsource.store import open_store
from flowsource.store.values import NewRun, Registration

ROUNDS = 15
RUNS = 200
COMMANDS = ("--help", "--version", "runs ls", "deployments ls", "runners ls", "why etl/nightly", "runs ls --help")
NOTHING = "pass"


def main() -> None:
    """Measure each command in turns with nothing, over a store with some runs, and print the table."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # As those who use it.
    with tempfile.TemporaryDirectory() as home:
        os.environ["FLOWSOURCE_HOME"] = home
        anyio.run(_fill, Path(home) / "flowsource.db")
        rows = [_row(command) for command in COMMANDS]
    print_table(
        f"Commands: median of {ROUNDS} alternating rounds", ["flowsource", "wall ms", "CPU ms", "x nothing"], rows
    )


def _row(command: str) -> list[str]:
    code = f"from flowsource.cli import main; main({command.split()!r})"
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    nothing, doing = take_turns(lambda: run_python(NOTHING), lambda: run_python(_quietly(code)), rounds=ROUNDS)
    ratio = paired_ratio([cost.wall for cost in doing], [cost.wall for cost in nothing])
    return [command, *_cells(doing), f"{ratio:.1f}"]


def _quietly(code: str) -> str:
    return f"import os; [os.dup2(os.open(os.devnull, os.O_WRONLY), stream) for stream in (1, 2)]; {code}"


def _cells(costs: list[Cost]) -> list[str]:
    wall, cpu = median(cost.wall for cost in costs), median(cost.cpu for cost in costs)
    return [f"{wall * 1000:.0f}", f"{cpu * 1000:.0f}"]


async def _fill(file: Path) -> None:
    async with open_store(f"sqlite:///{file}") as store:
        declared = Declaration(name="nightly", entrypoint="flows.py:etl", source_key="key", source_label="flows")
        new = Registration(declared=declared, facts=FlowFacts(name="etl"), active=Revision(id="1" * 40))
        now = store.now()
        [deployment] = await store.register(uuid4(), [new], lease_until=now, now=now)
        for _ in range(RUNS):
            await store.create_run(NewRun(deployment_id=deployment.id, scheduled_at=now), now=now)


if __name__ == "__main__":
    main()
