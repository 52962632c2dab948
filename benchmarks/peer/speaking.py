"""Flows that say when they began, served by either product: the same for both, and told apart by nobody."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peer.bench import Bench
from benchmarks.peer.products import Deployment, Directory, Git, Manner, Product, Served, flows
from benchmarks.peer.started import wait_until

# They say so in a file, which is read as soon as it is written: a log of either product is looked at when that is due.
FLOWS = """
import time

from {module} import flow

def say(word):
    with open({said!r}, "a") as file:
        file.write(f"{{time.time()}} {{word}}\\n")

@flow
def speak():
    say({word!r})

@flow
def hold():
    say("holds")
    open({gate!r}).read()
"""
WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a flow said: when it began, by the clock of this machine, and the word of its commit."""

    at: float
    word: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the flows of one product are, and say what they say."""

    root: Path
    product: Product

    @property
    def said(self) -> Path:
        """The file of what was said."""
        return self.root / "said"

    @property
    def gate(self) -> Path:
        """The pipe that a run of `hold` reads to its end."""
        return self.root / "gate"

    def files(self, word: str = "first") -> dict[str, str]:
        """What a source of these flows holds, of which `speak` says that word."""
        text = flows(FLOWS, self.product, said=str(self.said), gate=str(self.gate), word=word)
        return {"flows.py": text}

    def open_gate(self) -> None:
        """Let the run go on that reads the pipe; raises TimeoutError if none does."""

        def is_read() -> bool:
            try:
                os.close(os.open(self.gate, os.O_WRONLY | os.O_NONBLOCK))
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                return False
            return True

        wait_until("a run that reads", is_read, within=WITHIN)

    @classmethod
    def fresh(cls, bench: Bench, product: Product) -> Place:
        """One in which nothing was said."""
        place = cls(bench.fresh(product.module), product)
        place.said.touch()
        os.mkfifo(place.gate)
        return place


@dataclass(frozen=True, slots=True)
class Speaking:
    """The flows are served from `source`, and say in `place` what they say."""

    served: Served
    source: Directory | Git
    place: Place
    _chances: random.Random = field(default_factory=lambda: random.Random(1))

    def deployment(self, flow: str = "speak") -> Deployment:
        """The deployment of one of them."""
        return Deployment(flow, "compared", self.source)

    def run(self) -> float:
        """Ask for a run of `speak` at any moment between two looks of the product, and wait until it has ended well;
        seconds from the moment before it was asked for to the first line of the flow.

        Raises RuntimeError when it fails, and TimeoutError when it does not come.
        """
        time.sleep(self._chances.random() * self.served.rhythm)
        asked_at = time.time()
        return self.ask_and_hear().at - asked_at

    def ask_and_hear(self, flow: str = "speak") -> Said:
        """Ask for a run, which ends well, and return what it said."""
        seen = len(self.heard())
        run = self.served.ask(self.deployment(flow))
        said = self.hear(seen)
        finished(self.served, run)
        return said

    def attempt(self) -> Said | None:
        """Ask for a run of `speak`, wait until it has ended, and return what it said, if it did before it failed."""
        seen = len(self.heard())
        run = self.served.ask(self.deployment())
        with suppress(TimeoutError):
            wait_until("the end of a run", lambda: self.served.state(run).is_final, within=WITHIN, every=0.02)
        heard = self.heard()
        return heard[seen] if len(heard) > seen else None

    def hear(self, seen: int) -> Said:
        """What was said after so many others, once it was."""
        wait_until(f"what run {seen + 1} says", lambda: len(self.heard()) > seen, within=WITHIN)
        return self.heard()[seen]

    def heard(self) -> list[Said]:
        """What was said so far."""
        lines = self.place.said.read_text(encoding="utf-8").splitlines()
        return [Said(float(at), word) for at, _, word in (line.partition(" ") for line in lines)]


@contextmanager
def speaking(bench: Bench, product: Product, manner: Manner = Manner()) -> Iterator[Speaking]:
    """The product in a world of its own, which serves both flows from a directory."""
    place = Place.fresh(bench, product)
    source = Directory(place.root / "flows")
    source.path.mkdir()
    for name, content in place.files().items():
        (source.path / name).write_text(content, encoding="utf-8")
    deployments = [Deployment(flow, "compared", source) for flow in ("speak", "hold")]
    with product.world(place.root / "world") as world, world.serve(deployments, manner) as served:
        yield Speaking(served, source, place)


def finished(served: Served, run: str) -> None:
    """Return once the run has ended; raises RuntimeError unless it ended well, for a time of a failure is no time."""
    wait_until(f"the end of run {run}", lambda: served.state(run).is_final, within=WITHIN, every=0.05)
    state = served.state(run)
    if not state.is_good:
        raise RuntimeError(f"run {run} is {state.word}; the log is {served.log}")


def all_finished(served: Served, *, within: float, every: float = 0.1) -> None:
    """Return once no run is unfinished; raises TimeoutError."""
    wait_until("the end of all runs", lambda: served.unfinished() == 0, within=within, every=every)
