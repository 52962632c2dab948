"""The parts of the comparison: one module for each, which can be taken alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row, Seen
from benchmarks.peer.parts import (
    buckets,
    bursts,
    cost,
    deaths,
    idle,
    importing,
    latency,
    outages,
    polls,
    pushes,
    repositories,
    stores,
    tokens,
)

PARTS: Mapping[str, Callable[[Bench], Iterator[Row | Seen]]] = {
    "import": importing.take,
    "latency": latency.take,
    "cost": cost.take,
    "stores": stores.take,
    "bursts": bursts.take,
    "pushes": pushes.take,
    "polls": polls.take,
    "idle": idle.take,
    "repositories": repositories.take,
    "buckets": buckets.take,
    "outages": outages.take,
    "deaths": deaths.take,
    "tokens": tokens.take,
}
