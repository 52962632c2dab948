"""A server that has executed very many runs is no larger than one that has executed some."""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import le
from pathlib import Path
from statistics import linear_regression
from textwrap import dedent

import pytest

from flowsource.runner.processes.descent import children_of
from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from tests.fire.length import FULL, rounds
from tests.support.live import Serving, processes_below, serving
from tests.support.processes import descriptors_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3600 if FULL else 300)]

RUNS = rounds("runs of one server", short=100, full=10_000)
# By then the caches of the store are full.
WARM_UP = RUNS // 3
# So many connections to the database may read at once, each of them with the file, its log and the shared memory.
OF_READERS = 4 * 3
# One forgotten object of a run is more than that. After few runs what is kept on purpose still grows.
MOST_BYTES_A_RUN = 1 << (10 if FULL else 16)

# All that leaves traces in a server: lines and records, failures, retries, hooks, flows inside, processes left behind.
FLOWS = """
    import logging, subprocess, sys
    from flowsource import flow, serve

    def note(flow, flow_run, state):
        print("noted")

    @flow
    def inner(): ...

    @flow(on_completion=[note])
    def hooked(): ...

    @flow(retries=1)
    def fails():
        raise ValueError("as it must")

    @flow
    def leaves():
        subprocess.Popen([sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)"], start_new_session=True)

    @flow
    def speaks():
        print("a line")
        logging.getLogger("soak").warning("a record", extra={"of": "many"})
        return [inner() for _ in range(2)]

    if __name__ == "__main__":
        serve(*[one.to_deployment(name="x") for one in (speaks, hooked, fails, leaves)], limit=4)
"""
MIXTURE = ("speaks", "speaks", "hooked", "fails") * 6 + ("leaves",)
UNFINISHED = [state for state in RunState if not state.is_final]


@dataclass(frozen=True)
class Size:
    """What the server and its guardian have open, and what they have in memory that is of no file, in bytes."""

    descriptors: tuple[int, ...]
    memory: tuple[int, ...]


async def test_after_many_runs_a_server_has_no_more_open_and_no_more_in_memory(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(dedent(FLOWS))
    sizes: dict[int, Size] = {}
    async with serving(tmp_path / "flows.py", tmp_path / "home") as server:
        for count in range(len(MIXTURE), RUNS + 1, len(MIXTURE)):
            for flow in MIXTURE:
                await request_run(server.store, f"{flow}/x", {})
            await until_at_rest(server)
            if count >= WARM_UP:
                sizes[count] = size_of(server)
            if count % 1000 == 0:
                print(f"{count} runs: {size_of(server)}", flush=True)
        server_has, guardian_has = sizes[min(sizes)].descriptors
        # Connections that read are opened when so many are needed at once, which may be late.
        most = server_has + OF_READERS, guardian_has

        def has_no_more() -> bool:
            return all(map(le, size_of(server).descriptors, most))

        await server.until(has_no_more, f"at most {most} descriptors to be open")
        assert await server.stop() == 0
    assert processes_below(tmp_path / "home") == []
    growth = {who: slope(sizes, place) for place, who in enumerate(("the server", "the guardian"))}
    print(f"in {RUNS} runs, bytes of memory for each: {growth}")
    assert max(growth.values()) < MOST_BYTES_A_RUN


def slope(sizes: dict[int, Size], place: int) -> float:
    """How many bytes of memory go with each run."""
    return linear_regression(list(sizes), [size.memory[place] for size in sizes.values()]).slope


async def until_at_rest(server: Serving) -> None:
    """Wait until each run has ended, and each process of one."""

    async def is_at_rest() -> bool:
        return not (await server.store.runs(states=UNFINISHED, limit=1) or children_of(guardian_of(server)))

    await server.until(is_at_rest, "all runs to end")


def guardian_of(server: Serving) -> int:
    """The one child of a server, dead ones counted too."""
    [guardian] = children_of(server.process.pid)
    return guardian


def size_of(server: Serving) -> Size:
    pids = server.process.pid, guardian_of(server)
    return Size(tuple(map(descriptors_of, pids)), tuple(map(memory_of, pids)))


def memory_of(pid: int) -> int:
    found = re.search(r"^RssAnon:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10
