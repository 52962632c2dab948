"""What each part of the comparison is given: both products, a place to work in, and how much to measure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import run_python
from benchmarks.peer.products import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured: rounds of what takes seconds, of what takes a minute, and so on.

    Of the peer as many runs at once as in `peer_bursts` are waited for to the last; of more, `patience` seconds.
    """

    imports: int
    latencies: int
    costs: int
    stored: tuple[int, ...]
    bursts: tuple[int, ...]
    peer_bursts: tuple[int, ...]
    patience: float
    usual_pushes: int
    quick_pushes: int
    polled: tuple[int, ...]
    idle: tuple[int, ...]
    idle_seconds: float
    shapes: tuple[str, ...]
    histories: tuple[int, ...]
    objects: int


SIZES = {
    "quick": Size(
        imports=3,
        latencies=3,
        costs=3,
        stored=(1, 1000),
        bursts=(10,),
        peer_bursts=(10,),
        patience=20,
        usual_pushes=1,
        quick_pushes=2,
        polled=(1, 10),
        idle=(1, 50),
        idle_seconds=10,
        shapes=("small", "medium"),
        histories=(10, 100),
        objects=200,
    ),
    "usual": Size(
        imports=10,
        latencies=10,
        costs=10,
        stored=(1, 1000, 10_000, 100_000),
        bursts=(10, 100, 1000),
        peer_bursts=(10, 100),
        patience=300,
        usual_pushes=4,
        quick_pushes=10,
        polled=(1, 10, 50),
        idle=(1, 50, 500),
        idle_seconds=60,
        shapes=("small", "medium", "large"),
        histories=(10, 100, 1000),
        objects=10_000,
    ),
    "full": Size(
        imports=30,
        latencies=30,
        costs=30,
        stored=(1, 1000, 10_000, 100_000),
        bursts=(10, 100, 1000),
        peer_bursts=(10, 100, 1000),
        patience=300,
        usual_pushes=10,
        quick_pushes=20,
        polled=(1, 10, 50),
        idle=(1, 50, 500),
        idle_seconds=60,
        shapes=("small", "medium", "large"),
        histories=(10, 100, 1000, 10_000),
        objects=10_000,
    ),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """Both products, installed; `place` is empty at first, and each asks `fresh` for a place of its own in it."""

    ours: Product
    peer: Product
    place: Path
    size: Size
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def products(self) -> tuple[Product, Product]:
        """Ours, then the peer."""
        return self.ours, self.peer

    def fresh(self, name: str) -> Path:
        """An empty directory that nobody else is given."""
        place = self.place / f"{next(self._numbers):03}-{name}"
        place.mkdir()
        return place

    def nothing(self) -> float:
        """Seconds that `python -c pass` takes, in an environment as bare as those of the products."""
        return run_python("pass", str(self.ours.python), self.ours.variables).wall
