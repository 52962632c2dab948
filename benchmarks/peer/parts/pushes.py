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
from benchmarks.peer.speaking import Place, Said, Speaking
from benchmarks.peer.turns import in_turns

USUAL_INTERVAL = 60
WITHIN, HINTED_WITHIN = 300.0, 2.0
PATIENCE = 10
# Between two runs, where what is waited for takes much longer.
SELDOM, OFTEN = 0.5, 0.02


@dataclass(frozen=True, slots=True)
class Pushed:
    """Flows served from a repository that is pushed to, and asked every `interval` seconds. `failed` has a word for
    each run that did not say what it should."""

    speaking: Speaking
    remote: Remote
    interval: float
    failed: list[str] = field(default_factory=list)
    _chances: random.Random = field(default_factory=lambda: random.Random(1))
    _words: Iterator[str] = field(default_factory=lambda: (f"push-{number}" for number in itertools.count()))

    def push(self) -> float:
        """Ask for one run after the other, push at any moment between two polls, and go on until a run is on the new
        commit; seconds from the push to its first line."""
        return self._push(self.interval, lambda: None)

    def push_with_a_hint(self) -> float:
        """The same, with a hint after the push, so that it matters little when the next poll would be."""
        return self._push(HINTED_WITHIN, lambda: self.speaking.served.hint(self.speaking.deployment()))

    def _push(self, within: float, then: Callable[[], None]) -> float:
        until = time.time() + self._chances.random() * within
        pause = SELDOM if within == USUAL_INTERVAL else OFTEN
        while time.time() < until:
            self._run()
            time.sleep(pause)
        word, pushed_at = self._pushed()
        then()
        while (said := self._run()) is None or said.word != word:
            if time.time() - pushed_at > WITHIN:
                raise TimeoutError(f"no run was on the new commit within {WITHIN:g} s")
            time.sleep(pause)
        return said.at - pushed_at

    def push_and_ask_once(self) -> float:
        """Push when nothing has run for longer than the interval, and ask for one run; seconds from the push to its
        first line. One that is not on the new commit failed, and another one is pushed."""
        while True:
            time.sleep(2 * self.interval)
            word, pushed_at = self._pushed()
            said = self._run()
            if said is not None and said.word == word:
                return said.at - pushed_at
            if said is not None:
                self.failed.append("stale")
            if len(self.failed) > PATIENCE:
                raise RuntimeError(f"{len(self.failed)} runs were not on the new commit")

    def _run(self) -> Said | None:
        said = self.speaking.attempt()
        if said is None:
            self.failed.append("failed")
        return said

    def _pushed(self) -> tuple[str, float]:
        word = next(self._words)
        self.remote.push(self.speaking.place.files(word))
        return word, time.time()


def take(bench: Bench) -> Iterator[Row]:
    """At the usual interval, at one second, with a question before each run, and with a hint."""
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
        note="what decides is how soon after the push each asks by itself; runs are asked for one after the other all"
        f" the time, and the peer asks its server for runs each second{_failures(*both)}",
    )
    yield _in_turns(
        bench, "the same at an interval of 1 s", Pushed.push, asks_before_runs=False, note="as above, but in turns"
    )
    yield _in_turns(
        bench,
        "push -> first line of the one run that is asked for then, the source being asked before it",
        Pushed.push_and_ask_once,
        asks_before_runs=True,
        note='of ours `freshness="every_run"`, of the peer an interval of 1 s, beyond which it asks by itself',
    )
    with pushed(bench, bench.ours, None) as ours:
        _, *hinted = [ours.push_with_a_hint() for _ in range(bench.size.quick_pushes + 1)]
    yield Row(
        what="push -> first line of a run on the new commit, at the usual interval, with a hint after the push",
        unit="s",
        ours=hinted,
        note="the peer takes no hints",
    )


def _in_turns(bench: Bench, what: str, push: Callable[[Pushed], float], *, asks_before_runs: bool, note: str) -> Row:
    with (
        pushed(bench, bench.ours, 1, asks_before_runs=asks_before_runs) as ours,
        pushed(bench, bench.peer, 1, asks_before_runs=asks_before_runs) as peer,
    ):
        taken = in_turns(lambda: push(ours), lambda: push(peer), bench.nothing, rounds=bench.size.quick_pushes)
    return Row(
        what=what,
        unit="s",
        ours=taken[0],
        peer=taken[1],
        beside=taken[2],
        beside_is="python -c pass",
        note=f"{note}{_failures(ours, peer)}",
    )


def _failures(ours: Pushed, peer: Pushed) -> str:
    told = (("ours", ours.failed), ("the peer's", peer.failed))
    return "".join(f"; runs that failed meanwhile: {len(failed)} of {whose}" for whose, failed in told if failed)


@contextmanager
def pushed(bench: Bench, product: Product, interval: int | None, *, asks_before_runs: bool = False) -> Iterator[Pushed]:
    """The product in a world of its own, in which one run was, and which serves from a repository that it asks every
    `interval` seconds."""
    place = Place.fresh(bench, product)
    remotes = place.root / "remotes"
    remotes.mkdir()
    remote = Remote.create(remotes / "flows.git", place.files())
    with serving(remotes) as address, product.world(place.root / "world") as world:
        source = Git(f"{address}/flows.git", interval)
        manner = Manner(is_fastest=True, asks_before_runs=asks_before_runs)
        with world.serve([Deployment("speak", "compared", source)], manner) as served:
            speaking = Speaking(served, source, place)
            speaking.ask_and_hear()
            yield Pushed(speaking, remote, interval or USUAL_INTERVAL)
