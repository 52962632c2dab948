"""How long after it was asked for a run begins: to the first line of its flow, as the flow itself tells the time."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.products import Manner
from benchmarks.peer.speaking import Speaking, speaking
from benchmarks.peer.turns import in_turns

MANNERS = {"as both come": Manner(), "the peer at its quickest": Manner(is_fastest=True)}


def take(bench: Bench) -> Iterator[Row]:
    """Both in turns, in each manner."""
    for name, manner in MANNERS.items():
        with speaking(bench, bench.ours, manner) as ours, speaking(bench, bench.peer, manner) as peer:
            yield latency(bench, ours, peer, f"ad-hoc run: asked -> first line of the flow, {name}")


def latency(bench: Bench, ours: Speaking, peer: Speaking, what: str) -> Row:
    """What both take in turns, with a Python that does nothing."""
    taken = in_turns(ours.run, peer.run, bench.nothing, rounds=bench.size.latencies)
    return Row(what=what, unit="s", ours=taken[0], peer=taken[1], beside=taken[2], beside_is="python -c pass")
