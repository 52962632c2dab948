"""How long after it was asked for a run begins, by how many have ended that the product remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.parts.latency import latency
from benchmarks.peer.products import Manner
from benchmarks.peer.speaking import Speaking, finished, speaking

MANNER = Manner(is_fastest=True)


def take(bench: Bench) -> Iterator[Row]:
    """Both in turns, the peer at its quickest, after each portion of runs that is added."""
    with speaking(bench, bench.ours, MANNER) as ours, speaking(bench, bench.peer, MANNER) as peer:
        before = 0
        for count in bench.size.stored:
            for side in (ours, peer):
                _add(side, count - before)
            before = count
            what = f"asked -> first line of the flow, after {count:,} run{'s' if count > 1 else ''} that ended"
            row = latency(bench, ours, peer, what)
            yield replace(row, series="Seconds from asked to first line", over="runs that ended", at=count)


def _add(side: Speaking, count: int) -> None:
    """Have so many more runs there that ended well."""
    run = side.served.ask(side.deployment())
    finished(side.served, run)
    side.served.copy(run, count - 1)
