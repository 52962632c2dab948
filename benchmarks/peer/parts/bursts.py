"""How long many runs take that are asked for at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.products import Deployment, Manner, Product, Served
from benchmarks.peer.speaking import all_finished, speaking

LIMITS = (4, 16, None)
# Of the peer each is a process of some 90 MiB: what would be begun at once without a limit is kept below 10 GiB.
MOST_AT_ONCE = 100
TIMES = 3


def take(bench: Bench) -> Iterator[Row]:
    """Ours, then the peer's, with each limit."""
    for limit in LIMITS:
        of_peer = [count for count in bench.size.peer_bursts if limit is not None or count <= MOST_AT_ONCE]
        ours = {count: _bursts(bench, bench.ours, limit, count, TIMES) for count in bench.size.bursts}
        peer = {count: _bursts(bench, bench.peer, limit, count, 1) for count in of_peer}
        for count, seconds in ours.items():
            yield Row(
                what=f"{count:,} runs asked for at once, {_told(limit)}: until the last has ended",
                unit="s",
                ours=seconds,
                peer=peer.get(count, ()),
                note="" if count in peer else "of the peer it would take too long, or too much memory",
                series=f"Seconds until the last run has ended, {_told(limit)}",
                over="runs asked for at once",
                at=count,
            )
        for_both = max(peer)
        yield Row(
            what=f"runs a second, {_told(limit)}, of {for_both:,}",
            unit="runs/s",
            ours=[for_both / seconds for seconds in ours[for_both]],
            peer=[for_both / seconds for seconds in peer[for_both]],
            is_rate=True,
        )


def _told(limit: int | None) -> str:
    return "no limit" if limit is None else f"limit {limit}"


def _bursts(bench: Bench, product: Product, limit: int | None, count: int, times: int) -> list[float]:
    with speaking(bench, product, Manner(is_fastest=True, limit=limit)) as served:
        served.ask_and_hear()
        return [_burst(served.served, served.deployment(), count) for _ in range(times)]


def _burst(served: Served, deployment: Deployment, count: int) -> float:
    before, began = served.completed(), time.perf_counter()
    for _ in range(count):
        served.ask(deployment)
    all_finished(served, within=120 + 10 * count)
    seconds = time.perf_counter() - began
    if (ended := served.completed() - before) != count:
        raise RuntimeError(f"{ended} of {count} runs ended well; the log is {served.log}")
    return seconds
