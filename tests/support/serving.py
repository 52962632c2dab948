"""A script that serves, in a process of its own, as a person would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tests.support.leftovers import end_with_us
from tests.support.waiting import PATIENCE

READY = "Ask for a run:"


@dataclass(frozen=True, slots=True)
class ServingScript:
    """A process that serves with its memory in `home`; what it has written so far is in the file `log`."""

    process: subprocess.Popen[bytes]
    home: Path
    log: Path

    @property
    def output(self) -> str:
        """What the process wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_said(self, text: str, *, within: float = PATIENCE) -> None:
        """Return once the process has written `text`; raises AssertionError if it ends or time passes before."""
        deadline = monotonic() + within
        while text not in self.output:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output}"
            assert monotonic() < deadline, f"it did not say {text!r} within {within} s:\n{self.output}"
            sleep(0.01)

    def stop(self, *, within: float = PATIENCE) -> int:
        """End the process as a service manager would, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


@contextmanager
def serving(script: Path, home: Path, *, environ: Mapping[str, str] | None = None) -> Iterator[ServingScript]:
    """Run `script` with FLOWSOURCE_HOME at `home`, and wait until what it serves is registered.

    The script must leave the starting message on. When the context is left the process is stopped, and must end with 0
    unless the test has ended it before.
    """
    with started(script, home, environ=environ) as served:
        served.wait_until_said(READY)
        yield served
        if served.process.poll() is None:
            assert served.stop() == 0, served.output


@contextmanager
def started(
    script: Path, home: Path, *, environ: Mapping[str, str] | None = None, through: Sequence[str] = ()
) -> Iterator[ServingScript]:
    """Run `script` in its directory, with FLOWSOURCE_HOME at `home`; it is killed with the context at the latest.

    `through` are the words before a command that have it done elsewhere, as by `Host.command`.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home.with_name(f"{home.name}.{script.stem}.log")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWSOURCE_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*through, sys.executable, str(script)],
            cwd=script.parent,
            env={**kept, "FLOWSOURCE_HOME": str(home), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    end_with_us(process)
    try:
        yield ServingScript(process, home, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
