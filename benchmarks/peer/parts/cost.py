"""What a run costs that does next to nothing: CPU of all that the product needs for it, and memory of its process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.measure import memory_of, memory_of_idle_python, run_python
from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.products import Manner, Usage
from benchmarks.peer.speaking import Speaking, all_finished, speaking
from benchmarks.peer.turns import in_turns

# The CPU of what has ended is told in hundredths of a second, which is nothing of a run of the peer's and half of ours.
OURS_AT_ONCE, PEER_AT_ONCE = 20, 1


def take(bench: Bench) -> Iterator[Row]:
    """Both in turns."""
    manner = Manner(is_fastest=True)
    with speaking(bench, bench.ours, manner) as ours, speaking(bench, bench.peer, manner) as peer:
        used = in_turns(
            lambda: _used(ours, OURS_AT_ONCE),
            lambda: _used(peer, PEER_AT_ONCE),
            lambda: run_python("pass", str(bench.ours.python), bench.ours.variables).cpu,
            rounds=bench.size.costs,
        )
        memory = in_turns(
            lambda: _memory_of_a_run(ours),
            lambda: _memory_of_a_run(peer),
            lambda: memory_of_idle_python().private,
            rounds=max(1, bench.size.costs // 2),
        )
    yield from _cpu_rows(*used)
    yield Row(
        what="private memory of a run that waits",
        unit="MiB",
        ours=memory[0],
        peer=memory[1],
        beside=memory[2],
        beside_is="a Python that waits",
    )


def _cpu_rows(ours: Sequence[Usage], peer: Sequence[Usage], bare: Sequence[float]) -> Iterator[Row]:
    yield Row(
        what="CPU of a run that says one line, of all the product",
        unit="CPU s",
        ours=[one.whole for one in ours],
        peer=[one.whole for one in peer],
        beside=bare,
        beside_is="python -c pass",
        note=f"one after the other, {OURS_AT_ONCE} of ours to {PEER_AT_ONCE} of the peer's in each round; what a server"
        " uses by itself in that time is part of it",
    )
    yield Row(
        what="of it, the process that serves, with the run",
        unit="CPU s",
        ours=[one.serving for one in ours],
        peer=[one.serving for one in peer],
    )
    yield Row(
        what="of it, who answers the one who asks",
        unit="CPU s",
        ours=[one.answering for one in ours],
        peer=[one.answering for one in peer],
    )


def _used(speaking: Speaking, count: int) -> Usage:
    before = speaking.served.usage()
    for _ in range(count):
        seen = len(speaking.heard())
        speaking.served.ask(speaking.deployment())
        speaking.hear(seen)
    all_finished(speaking.served, within=60)
    used = speaking.served.usage() - before
    return Usage(used.serving / count, used.answering / count)


def _memory_of_a_run(speaking: Speaking) -> float:
    before, seen = set(speaking.served.processes()), len(speaking.heard())
    speaking.served.ask(speaking.deployment("hold"))
    speaking.hear(seen)
    private = sum(memory_of(pid).private for pid in speaking.served.processes() if pid not in before)
    speaking.place.open_gate()
    all_finished(speaking.served, within=60)
    return private
