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
    """Of so many runs that were `asked` for at once, how many had `ended` well after so many seconds: when no run was
    left, or nobody waited any longer."""

    asked: int
    ended: int
    seconds: float

    @property
    def lost(self) -> int:
        """How many had not."""
        return self.asked - self.ended

    @property
    def rate(self) -> float:
        """Runs a second."""
        return self.ended / self.seconds


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
        yield _rates(f"{_told(limit)}, of {max(peer):,}", ours[max(peer)], peer[max(peer)])
        most = max(ours)
        if limit is not None and most not in peer:
            begun = _bursts(bench, bench.peer, limit, most, 1, within=bench.size.patience)
            yield _rates(
                f"{_told(limit)}, of {most:,}",
                ours[most],
                begun,
                note=f"of the peer, what had ended after {begun[0].seconds:.0f} s, in which its server took"
                f" {begun[0].asked:,} requests for a run",
            )


def _rates(what: str, ours: Sequence[Burst], peer: Sequence[Burst], note: str = "") -> Row:
    return Row(
        what=f"runs a second, {what}",
        unit="runs/s",
        ours=[burst.rate for burst in ours],
        peer=[burst.rate for burst in peer],
        is_rate=True,
        note=note,
    )


def _told(limit: int | None) -> str:
    return "no limit" if limit is None else f"limit {limit}"


def _note(ours: Sequence[Burst], peer: Sequence[Burst] | None) -> str:
    lost = [f"{burst.lost} of ours did not end well" for burst in ours if burst.lost]
    lost += [f"{burst.lost} of the peer's did not end well" for burst in peer or () if burst.lost]
    if peer is None:
        lost.append("of the peer it would take too long, or too much memory")
    return "; ".join(lost)


def _bursts(
    bench: Bench, product: Product, limit: int | None, count: int, times: int, *, within: float | None = None
) -> list[Burst]:
    """So many of them, each waited for to its end, or for `within` seconds at most."""
    with speaking(bench, product, Manner(is_fastest=True, limit=limit)) as served:
        served.ask_and_hear()
        return [_burst(served.served, served.deployment(), count, within or 60 + 6 * count) for _ in range(times)]


def _burst(served: Served, deployment: Deployment, count: int, within: float) -> Burst:
    before, began = served.completed(), time.perf_counter()
    asked = 0
    # A server that is busy may take longer to be asked than anybody waits.
    while asked < count and time.perf_counter() < began + within:
        served.ask(deployment)
        asked += 1
    # A run that stays where it is for good is waited for in vain.
    with suppress(TimeoutError):
        all_finished(served, within=began + within - time.perf_counter())
    return Burst(asked, served.completed() - before, time.perf_counter() - began)
