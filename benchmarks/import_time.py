"""What `from flowsource import flow` costs beside a Python that does nothing.

python -m benchmarks.import_time
"""

from __future__ import annotations

import os
from statistics import median

from benchmarks.measure import Cost, paired_ratio, peak_memory, print_table, run_python, take_turns

ROUNDS = 30
NOTHING = "pass"
IMPORT = "from flowsource import flow"


def main() -> None:
    """Measure both in turns and print the table."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # Users import from bytecode; so do we, after the first round.
    nothing, importing = take_turns(lambda: run_python(NOTHING), lambda: run_python(IMPORT), rounds=ROUNDS)
    ratio = paired_ratio([cost.wall for cost in importing], [cost.wall for cost in nothing])
    print_table(
        f"Import: median of {ROUNDS} alternating rounds",
        ["", "wall ms", "CPU ms", "peak MiB", "x nothing"],
        [
            ["python -c pass", *_cells(nothing), f"{peak_memory(NOTHING):.1f}", "1.00"],
            [IMPORT, *_cells(importing), f"{peak_memory(IMPORT):.1f}", f"{ratio:.2f}"],
        ],
    )


def _cells(costs: list[Cost]) -> list[str]:
    wall, cpu = median(cost.wall for cost in costs), median(cost.cpu for cost in costs)
    return [f"{wall * 1000:.1f}", f"{cpu * 1000:.1f}"]


if __name__ == "__main__":
    main()
