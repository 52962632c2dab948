"""What the benchmarks share: taking turns, medians, and a table that can be read aloud. Standard library only."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Cost:
    """One child process, from spawn to exit: seconds of wall clock, and seconds of CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """MiB of one process: resident, its share of that where others have it too, and what is its alone."""

    resident: float
    proportional: float
    private: float


def run_python(code: str, python: str = sys.executable, environment: Mapping[str, str] = os.environ) -> Cost:
    """Run `code` in a Python of its own and say what that cost; raises RuntimeError when it fails."""
    began = time.perf_counter()
    pid = os.posix_spawn(python, [python, "-c", code], environment)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise RuntimeError(f"python -c {code!r} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def peak_memory(code: str, python: str = sys.executable, environment: Mapping[str, str] = os.environ) -> float:
    """The most memory, in MiB, that a Python of its own had resident by the end of `code`.

    Asked of the child itself: what the kernel tells a parent counts the parent's own pages from before the exec.
    """
    code += "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    command = [python, "-c", code]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return int(said.split()[1]) / 1024


def memory_of(pid: int) -> Memory:
    """What the process has of the memory now."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    mebibytes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    private = mebibytes["Private_Clean"] + mebibytes["Private_Dirty"]
    return Memory(resident=mebibytes["Rss"], proportional=mebibytes["Pss"], private=private)


def memory_of_idle_python() -> Memory:
    """What a Python that has imported nothing and waits has of the memory."""
    code = "print(flush=True); import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return memory_of(process.pid)


def take_turns(first: Callable[[], T], second: Callable[[], U], *, rounds: int) -> tuple[list[T], list[U]]:
    """The results of two things done alternately, so that what else the machine does meets both.

    One more round comes first and does not count.
    """
    results: tuple[list[T], list[U]] = ([], [])
    for number in range(rounds + 1):
        pair = first(), second()
        if number:
            results[0].append(pair[0])
            results[1].append(pair[1])
    return results


def paired_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios of each pair, which drift of the machine moves less than the ratio of two medians."""
    return median(a / b for a, b in zip(over, under, strict=True))


def percentile(values: Sequence[float], rank: int) -> float:
    """The value that `rank` (1 to 99) percent of `values` stay below; takes two values or more."""
    return quantiles(values, n=100, method="inclusive")[rank - 1]


def spread(seconds: Sequence[float]) -> list[str]:
    """Least, median and most, in milliseconds."""
    return [f"{value * 1000:.1f}" for value in (min(seconds), median(seconds), max(seconds))]


SPREAD = ("min ms", "p50 ms", "max ms")


def machine() -> str:
    """What the numbers were taken on, in one line."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{python}, {_processor()}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release().partition('-')[0]}"
    )


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under a header, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}\n{machine()}\n")
    for name, *cells in (header, ["-" * width for width in widths], *rows):
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *aligned]))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
