"""The program that the demonstration serves from: what anybody's own would be, but for how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading

from flowsource import GitRepository, flow


def main(url: str) -> None:
    """Serve the flow in the repository at `url`, until a signal comes or whoever holds our standard input is gone."""
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    flow.from_source(
        source=GitRepository(url, branch="main", pull_interval=1),
        entrypoint="flows.py:hello",
    ).serve(name="demo")


def _end_with_standard_input() -> None:
    # The demonstration may be killed, and then nobody else would ever stop us.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1])
