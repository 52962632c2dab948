"""What those cost who have nothing to do: servers with few and many deployments, and a server for many hosts.

python -m benchmarks.idle_cost
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import mean

from benchmarks.measure import memory_of, memory_of_idle_python, print_table
from benchmarks.processes import cpu_of
from benchmarks.serving import HttpServer, Server, server_started, serving

COUNTS = (1, 50, 500)
RUNNERS = (0, 3)
SECONDS = 60.0
# What is done once after a start is no part of being idle.
SETTLING_SECONDS = 5.0
SCRIPT = """
from flowsource import flow, serve

@flow
def nothing():
    pass

if __name__ == "__main__":
    serve(*(nothing.to_deployment(f"{name}-{{n}}", interval=3600) for n in range({count})))
"""


def main() -> None:
    """Let each idle, one after the other, and print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        rows = [_served(root / f"serving-{count}", count, seconds) for count in COUNTS]
        rows += [row for count in RUNNERS for row in _server(root / f"server-{count}", count, seconds)]
    print_table(
        f"Idle for {seconds:g} s; CPU in percent of one core, memory as the proportional set size in MiB",
        ["", "CPU %", "PSS", "x nothing"],
        rows,
    )


def _served(home: Path, count: int, seconds: float) -> list[str]:
    with serving(SCRIPT.format(name="number", count=count), home) as server:
        [used] = _idled([server], seconds)
        return _row(f"serve, {count} deployments", used, _memory(server))


def _server(root: Path, count: int, seconds: float) -> list[list[str]]:
    with server_started(root / "server", f"sqlite:///{root / 'served.db'}") as server, ExitStack() as stack:
        said = {"FLOWSOURCE_STORE": server.url, "FLOWSOURCE_TOKEN": server.token}
        scripts = [SCRIPT.format(name=f"of-{number}", count=1) for number in range(count)]
        runners = [stack.enter_context(serving(one, root / f"{at}", said)) for at, one in enumerate(scripts)]
        used, *of_runners = _idled([server, *runners], seconds)
        rows = [_row(f"server start, {count} runners", used, memory_of(server.pid).proportional)]
        if runners:
            rows.append(_row("each of these runners", mean(of_runners), mean(map(_memory, runners))))
        return rows


def _idled(idlers: Sequence[Server | HttpServer], seconds: float) -> list[float]:
    """Percent of a core that each uses while it idles, with its fork server."""
    time.sleep(SETTLING_SECONDS)
    before, began = list(map(_cpu, idlers)), time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - began
    return [(_cpu(one) - used) / took * 100 for one, used in zip(idlers, before, strict=True)]


def _cpu(idler: Server | HttpServer) -> float:
    return idler.usage().whole if isinstance(idler, Server) else cpu_of(idler.pid)


def _memory(server: Server) -> float:
    return memory_of(server.pid).proportional + memory_of(server.fork_server).proportional


def _row(name: str, cpu: float, memory: float) -> list[str]:
    return [name, f"{cpu:.3f}", f"{memory:.1f}", f"{memory / memory_of_idle_python().proportional:.1f}"]


if __name__ == "__main__":
    main()
