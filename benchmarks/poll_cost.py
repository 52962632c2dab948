"""What a poll that finds nothing new costs, and how long after a push the next run is on the new commit.

python -m benchmarks.poll_cost
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import SPREAD, paired_ratio, print_table, run_python, spread, take_turns
from benchmarks.serving import Asker, asking, serving
from flowsource.demo.repository import FixtureRepository
from tests.support.git_server import Exchange, git_server

POLLS = 6
PUSHES = 10
INTERVAL = 1.0
WITHIN = 30.0
LOOK_EVERY = 0.002
SHAPES: Mapping[str, Mapping[str, str]] = {
    "1 deployment": {"one": "main"},
    "50 deployments of one branch": {f"number-{n}": "main" for n in range(50)},
    "10 deployments of 10 branches": {f"number-{n}": f"branch-{n}" for n in range(10)},
}
FLOWS = """
import time

from flowsource import flow

@flow
def hello():
    print(time.time())
"""
SCRIPT = """
from flowsource import GitRepository, flow, serve

def deployment(name, branch):
    source = GitRepository({url!r}, branch=branch, pull_interval={interval})
    return flow.from_source(source, "flows.py:hello").to_deployment(name)

if __name__ == "__main__":
    serve(*(deployment(name, branch) for name, branch in {branches!r}.items()))
"""


class TimedLog(list[Exchange]):
    """The log of a server that knows when each answer was given."""

    def __init__(self) -> None:
        super().__init__()
        self._moments: list[float] = []

    def append(self, exchange: Exchange) -> None:
        """Keep the exchange, and the time."""
        self._moments.append(time.time())
        super().append(exchange)

    @property
    def polls(self) -> int:
        """How often the refs were asked for."""
        return sum(exchange.command == "ls-refs" for exchange in self)

    def change_told_at(self, start: int) -> float:
        """When the refs were told, at or after the exchange of that number, that made the asker ask for more."""
        more = next(place for place in range(start, len(self)) if self[place].command != "ls-refs")
        return self._moments[more - 1]


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository on a server, and a script that serves from it."""

    repository: FixtureRepository
    log: TimedLog
    script: str


@dataclass(frozen=True, slots=True)
class Push:
    """Seconds from the moment the ref moved; those of `taking_over` are from the poll that was told of it."""

    active: float
    first_line: float
    reported: float
    taking_over: float


def main() -> None:
    """Count on the side of the server, push, and print a table of each."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        print_table(
            f"A poll that finds nothing new, by the log of the Git server: {POLLS} polls, pull_interval={INTERVAL:g}",
            ["", "requests", "a poll", "bytes out", "bytes in", "bytes a poll", "s a poll", "CPU ms", "x nothing"],
            [_polled(name, root / f"{n}", branches) for n, (name, branches) in enumerate(SHAPES.items())],
        )
        print_table(
            f"From a push to the next run: {PUSHES} pushes, pull_interval={INTERVAL:g} (+- 20 %)",
            ["", *SPREAD, "x nothing"],
            _pushed(root / "push"),
        )


def _polled(name: str, root: Path, branches: Mapping[str, str]) -> list[str]:
    with _served_remotely(root, branches) as remote, serving(remote.script, root / "home") as server:
        _wait_for_polls(remote.log, 1)  # Which also asks what the server is able to do.
        seen, before, began = len(remote.log), server.usage(), time.perf_counter()
        _wait_for_polls(remote.log, POLLS)
        seconds, used, exchanges = time.perf_counter() - began, server.usage() - before, remote.log[seen:]
    nothing = median(run_python("pass").cpu for _ in range(POLLS))
    sent, received = sum(one.bytes_in for one in exchanges), sum(one.bytes_out for one in exchanges)
    return [
        name,
        f"{len(exchanges)}",
        f"{len(exchanges) / POLLS:.1f}",
        f"{sent / POLLS:.0f}",
        f"{received / POLLS:.0f}",
        f"{(sent + received) / POLLS:.0f}",
        f"{seconds / POLLS:.2f}",
        f"{used.whole / POLLS * 1000:.1f}",
        f"{used.whole / POLLS / nothing:.2f}",
    ]


def _pushed(root: Path) -> list[list[str]]:
    with (
        _served_remotely(root, SHAPES["1 deployment"]) as remote,
        serving(remote.script, root / "home"),
        asking(root / "home") as asker,
    ):
        _wait_for_polls(remote.log, 1)
        chances = random.Random(1)

        def push() -> Push:
            # At any moment between two polls. Without this each push would come just after one.
            time.sleep(chances.random() * INTERVAL)
            return _push(remote, asker)

        nothing, pushes = take_turns(lambda: run_python("pass").wall, push, rounds=PUSHES)

    def row(name: str, seconds: Sequence[float]) -> list[str]:
        return [name, *spread(seconds), f"{paired_ratio(seconds, nothing):.2f}"]

    return [
        row("python -c pass", nothing),
        row("ref moved -> the new commit serves", [push.active for push in pushes]),
        row("ref moved -> first line of a run on it", [push.first_line for push in pushes]),
        row("ref moved -> that run is seen to have ended", [push.reported for push in pushes]),
        row("the poll that saw it -> the new commit serves", [push.taking_over for push in pushes]),
    ]


def _push(remote: Remote, asker: Asker) -> Push:
    seen = len(remote.log)
    commit = remote.repository.commit_files({"flows.py": f"{FLOWS}\n# {seen}\n"})
    moved_at = time.time()

    async def follow() -> Push:
        await asker.wait_until_active("hello/one", commit)
        active_at = time.time()
        run = await asker.wait(await asker.ask("hello/one"))
        ended_at = time.time()
        if run.revision is None or run.revision.id != commit:
            raise RuntimeError(f"the run after the push of {commit} was on {run.revision}")
        [line] = await asker.store.lines(run.id)
        told_at = remote.log.change_told_at(seen)
        return Push(active_at - moved_at, float(line.text) - moved_at, ended_at - moved_at, active_at - told_at)

    return asker.do(follow())


@contextmanager
def _served_remotely(root: Path, branches: Mapping[str, str]) -> Iterator[Remote]:
    repository = FixtureRepository.create(root / "remote" / "repository.git")
    for branch in sorted({"main", *branches.values()}):
        repository.commit_files({"flows.py": FLOWS}, branch=branch)
    with git_server(root / "remote") as server:
        server.log = log = TimedLog()
        url = server.url("repository.git")
        yield Remote(repository, log, SCRIPT.format(url=url, interval=INTERVAL, branches=dict(branches)))


def _wait_for_polls(log: TimedLog, count: int) -> None:
    """Return just after the answer to the poll that is `count` polls ahead."""
    wanted, deadline = log.polls + count, time.perf_counter() + WITHIN
    while log.polls < wanted:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"the server was not polled {count} times within {WITHIN:g} s")
        time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main()
