"""What is asked of a Git server by those who poll it in vain, and what a start with many deployments asks of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.git_traces import processes_in
from benchmarks.peer.products import Deployment, Git, Manner, Product
from benchmarks.peer.remotes import Remote
from benchmarks.peer.speaking import Place
from benchmarks.peer.started import wait_until
from tests.support.git_server import Exchange, git_server

INTERVAL = 2
POLLS = 5
# A poll is over when nothing more was asked for so long.
QUIET = 0.4
WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Polled:
    """Seconds and requests until it was ready, and requests, bytes and Git processes of each poll after that."""

    ready_after: float
    requests_before: int
    requests: float
    bytes: float
    processes: float


def take(bench: Bench) -> Iterator[Row]:
    """With few and with many deployments of one repository."""
    for count in bench.size.polled:
        ours, peer = (_polled(bench, product, count) for product in bench.products)
        of = f"{count} deployment{'s' if count > 1 else ''} of one repository"

        def row(what: str, unit: str, ours: float, peer: float, series: str, at: int = count) -> Row:
            return Row(what=what, unit=unit, ours=[ours], peer=[peer], series=series, over="deployments", at=at)

        yield row(f"{of}: until ready", "s", ours.ready_after, peer.ready_after, "Seconds until ready")
        yield row(
            f"{of}: requests until then",
            "requests",
            ours.requests_before,
            peer.requests_before,
            "Requests until ready",
        )
        yield Row(what=f"{of}: a poll in vain", unit="requests", ours=[ours.requests], peer=[peer.requests])
        yield row(f"{of}: a poll in vain", "bytes", ours.bytes, peer.bytes, "Bytes of a poll in vain")
        yield Row(what=f"{of}: a poll in vain", unit="Git processes", ours=[ours.processes], peer=[peer.processes])


def _polled(bench: Bench, product: Product, count: int) -> Polled:
    place = Place.fresh(bench, product)
    remotes, trace = place.root / "remotes", place.root / "trace"
    remotes.mkdir()
    trace.touch()
    Remote.create(remotes / "flows.git", place.files())
    with git_server(remotes) as server, product.world(place.root / "world", GIT_TRACE2_EVENT=str(trace)) as world:
        source = Git(server.url("flows.git"), INTERVAL)
        deployments = [Deployment("speak", f"number-{number}", source) for number in range(count)]
        with world.serve(deployments, Manner(is_fastest=True)) as served:
            before = len(server.log)
            _wait_for_polls(server.log, before, 2)
            started, told = len(server.log), trace.stat().st_size
            _wait_for_polls(server.log, started, POLLS)
            exchanges = server.log[started:]
            processes = processes_in(_since(trace, told))
    polls = _polls(exchanges)
    return Polled(
        ready_after=served.ready_after,
        requests_before=before,
        requests=len(exchanges) / polls,
        bytes=sum(one.bytes_in + one.bytes_out for one in exchanges) / polls,
        processes=processes / polls,
    )


def _wait_for_polls(log: Sequence[Exchange], since: int, count: int) -> None:
    """Return between two polls, after so many."""
    wait_until(f"{count} polls", lambda: _polls(log[since:]) >= count, within=WITHIN)
    seen = -1
    while seen != len(log):
        seen = len(log)
        time.sleep(QUIET)


def _polls(exchanges: Sequence[Exchange]) -> int:
    return sum(one.command == "ls-refs" for one in exchanges)


def _since(trace: Path, place: int) -> str:
    with trace.open("rb") as file:
        file.seek(place)
        return file.read().decode(errors="replace")
