"""A flow that says when it began, served from a directory: the same flow for both products."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peer.bench import Bench
from benchmarks.peer.products import Deployment, Directory, Manner, Product, Served, flows
from benchmarks.peer.started import wait_until

# It says so in a file, which is read as soon as it is written: a log of either product is looked at when that is due.
FLOWS = """
import time

from {module} import flow

@flow
def speak():
    with open({said!r}, "a") as file:
        file.write(f"{{time.time()}}\\n")
"""
WITHIN = 180.0


@dataclass(frozen=True, slots=True)
class Speaking:
    """The flow is served as `deployment`, and says what it says in the file `said`."""

    served: Served
    deployment: Deployment
    said: Path
    _chances: random.Random = field(default_factory=lambda: random.Random(1))

    def run(self) -> float:
        """Ask for a run at any moment between two looks of the product, and wait until it has ended well; seconds from
        the moment before it was asked for to the first line of the flow.

        Raises RuntimeError when it fails, and TimeoutError when it does not come.
        """
        time.sleep(self._chances.random() * self.served.rhythm)
        seen, asked_at = self.lines(), time.time()
        run = self.served.ask(self.deployment)
        self.wait_for(len(seen) + 1)
        spoke_at = float(self.lines()[-1])
        finished(self.served, run)
        return spoke_at - asked_at

    def lines(self) -> list[str]:
        """What was said so far."""
        return self.said.read_text(encoding="utf-8").splitlines()

    def wait_for(self, count: int) -> None:
        """Return once so many lines were said."""
        wait_until(f"line {count} of {self.deployment.flow}", lambda: len(self.lines()) >= count, within=WITHIN)


@contextmanager
def speaking(bench: Bench, product: Product, manner: Manner = Manner()) -> Iterator[Speaking]:
    """The product in a world of its own, which serves nothing but that flow."""
    place = bench.fresh(product.module)
    source, said = Directory(place / "flows"), place / "said"
    source.path.mkdir()
    said.touch()
    (source.path / "flows.py").write_text(flows(FLOWS, product, said=str(said)), encoding="utf-8")
    deployment = Deployment("speak", "compared", source)
    with product.world(place / "world") as world, world.serve([deployment], manner) as served:
        yield Speaking(served, deployment, said)


def finished(served: Served, run: str) -> None:
    """Return once the run has ended; raises RuntimeError unless it ended well, for a time of a failure is no time."""
    wait_until(f"the end of run {run}", lambda: served.state(run).is_final, within=WITHIN, every=0.05)
    state = served.state(run)
    if not state.is_good:
        raise RuntimeError(f"run {run} is {state.word}; the log is {served.log}")
