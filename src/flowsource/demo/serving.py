"""The serving process of the demonstration: started, asked whether it is well, and always ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowsource.errors import FlowsourceError

_SECONDS_TO_STOP = 5
_LINES_OF_LOG = 15


class DemoFailed(FlowsourceError):
    """The demonstration did not come true."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A process that serves, with what it has written so far in the file `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise DemoFailed if the process has ended."""
        if self.process.poll() is not None:
            raise DemoFailed(f"the serving process ended with exit code {self.process.returncode}")

    def last_lines(self) -> str:
        """The end of what the process wrote."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_OF_LOG:])


@contextmanager
def serving(url: str, *, log: Path) -> Iterator[Serving]:
    """A process that serves from the repository at `url` while the context is open."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flowsource.demo.served", url],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            # Ctrl-C is for us alone: we end it, in order.
            process_group=0,
        )
    try:
        yield Serving(process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process: the first signal lets runs end, the second ends them, and the last leaves no choice."""
    for end in (process.terminate, process.terminate, process.kill):
        end()
        try:
            process.wait(_SECONDS_TO_STOP)
            break
        except subprocess.TimeoutExpired:
            continue
    assert process.stdin is not None
    process.stdin.close()
