"""The guardian each of whose runs begins as a Python of its own."""

from __future__ import annotations

import os
import sys

from flowsource.runner.child import protection
from flowsource.runner.processes.birth import CHANNEL, OUTPUT
from flowsource.runner.processes.guardian import Guardian, prepared


def main() -> None:
    """Serve requests until the socket ends."""
    requests = prepared()
    protects = protection.is_possible()
    command = (
        sys.executable,
        "-P",
        "-X",
        "utf8",
        "-m",
        "flowsource.runner.processes.executed",
        *(["protected"] if protects else []),
    )

    def be_a_run() -> None:
        for descriptor in (CHANNEL, OUTPUT):
            os.set_inheritable(descriptor, True)
        os.execv(sys.executable, command)

    Guardian(requests, be_a_run).serve({"protects": protects})


if __name__ == "__main__":
    main()
