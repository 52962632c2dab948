"""How long many runs take that are asked for at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.products import Deployment, Manner, Product, Served
from benchmarks.peer.speaking import all_finished, speaking

LIMITS = (4, 16, None)
# Of the peer each is a process of some 90 MiB: what would be begun at once without a limit is kept below 10 GiB.
MOST_AT_ONCE = 100
TIMES = 3


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds until the last run had ended, and how many had not ended well by then."""

    seconds: float
    lost: int


def take(bench: Bench) -> Iterator[Row]:
    """Ours, then the peer's, with each limit."""
    for limit in LIMITS:
        of_peer = [count for count in bench.size.peer_bursts if limit is not None or count <= MOST_AT_ONCE]
        ours = {count: _bursts(bench, bench.ours, limit, count, TIMES) for count in bench.size.bursts}
        peer = {count: _bursts(bench, bench.peer, limit, count, 1) for count in of_peer}
        for count, bursts in ours.items():
            yield Row(
                what=f"{count:,} runs asked for at once, {_told(limit)}: until the last has ended",
                unit="s",
                ours=[burst.seconds for burst in bursts],
                peer=[burst.seconds for burst in peer.get(count, ())],
                note=_note(bursts, peer.get(count)),
                series=f"Seconds until the last run has ended, {_told(limit)}",
                over="runs asked for at once",
                at=count,
            )
        for_both = max(peer)
        yield Row(
            what=f"runs a second, {_told(limit)}, of {for_both:,}",
            unit="runs/s",
            ours=[for_both / burst.seconds for burst in ours[for_both]],
            peer=[for_both / burst.seconds for burst in peer[for_both]],
            is_rate=True,
        )


def _told(limit: int | None) -> str:
    return "no limit" if limit is None else f"limit {limit}"


def _note(ours: Sequence[Burst], peer: Sequence[Burst] | None) -> str:
    lost = [f"{burst.lost} of ours did not end well" for burst in ours if burst.lost]
    lost += [f"{burst.lost} of the peer's did not end well" for burst in peer or () if burst.lost]
    if peer is None:
        lost.append("of the peer it would take too long, or too much memory")
    return "; ".join(lost)


def _bursts(bench: Bench, product: Product, limit: int | None, count: int, times: int) -> list[Burst]:
    with speaking(bench, product, Manner(is_fastest=True, limit=limit)) as served:
        served.ask_and_hear()
        return [_burst(served.served, served.deployment(), count) for _ in range(times)]


def _burst(served: Served, deployment: Deployment, count: int) -> Burst:
    before, began = served.completed(), time.perf_counter()
    for _ in range(count):
        served.ask(deployment)
    # A run that stays where it is for good is lost as well.
    with suppress(TimeoutError):
        all_finished(served, within=60 + 6 * count)
    return Burst(time.perf_counter() - began, lost=count - (served.completed() - before))
