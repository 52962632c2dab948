"""How long after a push the first run is on the new commit, while runs are asked for one after the other."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.git_serving import serving
from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.products import Deployment, Git, Manner, Product
from benchmarks.peer.remotes import Remote
from benchmarks.peer.speaking import Place, Speaking
from benchmarks.peer.turns import in_turns

USUAL_INTERVAL = 60
WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Pushed:
    """Flows served from a repository that is pushed to."""

    speaking: Speaking
    remote: Remote
    interval: float
    _chances: random.Random = field(default_factory=lambda: random.Random(1))
    _words: Iterator[str] = field(default_factory=lambda: (f"push-{number}" for number in itertools.count()))

    def push(self, then: Callable[[], None] = lambda: None) -> float:
        """Push at any moment between two polls, do `then`, and ask for one run after the other until one is on the new
        commit; seconds from the push to its first line."""
        time.sleep(self._chances.random() * self.interval)
        word = next(self._words)
        self.remote.push(self.speaking.place.files(word))
        pushed_at = time.time()
        then()
        while (said := self.speaking.ask_and_hear()).word != word:
            if time.time() - pushed_at > WITHIN:
                raise TimeoutError(f"no run was on the new commit within {WITHIN:g} s")
        return said.at - pushed_at

    def push_with_a_hint(self) -> float:
        """The same, with a hint after the push."""
        return self.push(lambda: self.speaking.served.hint(self.speaking.deployment()))


def take(bench: Bench) -> Iterator[Row]:
    """At the usual interval, at one second, and with a hint."""
    with ExitStack() as stack:
        both = [stack.enter_context(pushed(bench, product, None)) for product in bench.products]
        # At once: each waits for tens of seconds, in which the other hardly does anything.
        with ThreadPoolExecutor(2) as threads:
            usual = [list(threads.map(Pushed.push, both)) for _ in range(bench.size.usual_pushes)]
    yield Row(
        what="push -> first line of a run on the new commit, at the usual interval of both, 60 s",
        unit="s",
        ours=[ours for ours, _ in usual],
        peer=[peer for _, peer in usual],
        note="both at the same time; the peer asks its server for runs each second",
    )
    with pushed(bench, bench.ours, 1) as ours, pushed(bench, bench.peer, 1) as peer:
        quick = in_turns(ours.push, peer.push, bench.nothing, rounds=bench.size.quick_pushes)
    yield Row(
        what="the same at an interval of 1 s",
        unit="s",
        ours=quick[0],
        peer=quick[1],
        beside=quick[2],
        beside_is="python -c pass",
    )
    with pushed(bench, bench.ours, None) as ours:
        hinted = [ours.push_with_a_hint() for _ in range(bench.size.quick_pushes)]
    yield Row(
        what="the same at the usual interval, with a hint after the push",
        unit="s",
        ours=hinted,
        note="the peer takes no hints",
    )


@contextmanager
def pushed(bench: Bench, product: Product, interval: int | None) -> Iterator[Pushed]:
    """The product in a world of its own, which serves from a repository that it asks every `interval` seconds."""
    place = Place.fresh(bench, product)
    remotes = place.root / "remotes"
    remotes.mkdir()
    remote = Remote.create(remotes / "flows.git", place.files())
    with serving(remotes) as address, product.world(place.root / "world") as world:
        source = Git(f"{address}/flows.git", interval)
        with world.serve([Deployment("speak", "compared", source)], Manner(is_fastest=True)) as served:
            yield Pushed(Speaking(served, source, place), remote, interval or USUAL_INTERVAL)
