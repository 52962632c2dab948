"""A run in a Python that was started for it alone: `python -m flowsource.runner.processes.executed [protected]`.

Its channel and its output are open already, at their places.
"""

from __future__ import annotations

import os
import sys

from flowsource.runner.child import main as child
from flowsource.runner.child.streams import share_lines_of_c
from flowsource.runner.processes.birth import CHANNEL, OUTPUT, live


def main() -> None:
    """Be the run."""
    for descriptor in (CHANNEL, OUTPUT):
        os.set_inheritable(descriptor, False)
    child.protects_snapshots = "protected" in sys.argv[1:]
    share_lines_of_c()
    live(child.main)


if __name__ == "__main__":
    main()
