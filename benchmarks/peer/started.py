"""Processes that the comparison starts, each in a group of its own, and ends by their ids."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import tree_of

READY_WITHIN = 600.0
STOPPED_WITHIN = 60.0
_LOOK_EVERY = 0.005


@dataclass(frozen=True, slots=True)
class Started:
    """A process that is ready, `ready_after` seconds after it was started."""

    process: subprocess.Popen[bytes]
    ready_after: float
    log: Path


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], log: Path, is_ready: Callable[[str], bool]
) -> Iterator[Started]:
    """Run the command where its log is, until the block ends; it is ready when what it wrote so far says so.

    At the end it is asked to end, and it and all below it are killed if it has not after a minute. Raises RuntimeError,
    with what it wrote, when it does not become ready in ten.
    """
    began = time.perf_counter()
    with log.open("ab") as output:
        begins = output.tell()
        # Not where we are: of a run that crashed, the peer fetches the code into where it works.
        process = subprocess.Popen(
            command, cwd=log.parent, env=environment, stdout=output, stderr=output, process_group=0
        )
    try:
        while not is_ready(_written(log, begins)):
            if process.poll() is not None or time.perf_counter() - began > READY_WITHIN:
                raise RuntimeError(f"{command} did not become ready; it wrote:\n{_written(log, begins)}")
            time.sleep(_LOOK_EVERY)
        yield Started(process, time.perf_counter() - began, log)
    finally:
        _end(process)


def wait_until(what: str, is_so: Callable[[], bool], *, within: float, every: float = _LOOK_EVERY) -> float:
    """Seconds until it is so; raises TimeoutError, which says what was waited for."""
    began = time.perf_counter()
    while not is_so():
        if time.perf_counter() - began > within:
            raise TimeoutError(f"{what}: not within {within:g} s")
        time.sleep(every)
    return time.perf_counter() - began


def free_port() -> int:
    """A port of this machine that nobody listens at now, and that no connection is given by itself."""
    while True:
        port = random.randint(20_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _written(log: Path, begins: int) -> str:
    with log.open("rb") as file:
        file.seek(begins)
        return file.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    tree = list(tree_of(process.pid)) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        for pid in tree:
            _kill(pid)
        process.wait()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
