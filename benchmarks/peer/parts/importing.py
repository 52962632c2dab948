"""What `from ... import flow` costs: time, and the most memory that it takes."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Cost, peak_memory, run_python
from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.products import Product
from benchmarks.peer.turns import in_turns


def take(bench: Bench) -> Iterator[Row]:
    """Both in turns, with a Python that does nothing."""

    def cost(product: Product) -> Cost:
        return run_python(_importing(product), str(product.python), product.variables)

    def nothing() -> Cost:
        return run_python("pass", str(bench.ours.python), bench.ours.variables)

    ours, peer, bare = in_turns(lambda: cost(bench.ours), lambda: cost(bench.peer), nothing, rounds=bench.size.imports)
    what = "`from flowsource import flow` beside `from prefect import flow`"
    yield Row(
        what=what,
        unit="s",
        ours=[one.wall for one in ours],
        peer=[one.wall for one in peer],
        beside=[one.wall for one in bare],
        beside_is="python -c pass",
    )
    yield Row(
        what="CPU of it",
        unit="CPU s",
        ours=[one.cpu for one in ours],
        peer=[one.cpu for one in peer],
        beside=[one.cpu for one in bare],
        beside_is="python -c pass",
    )
    yield Row(
        what="the most memory that it takes",
        unit="MiB",
        ours=[_peak(bench.ours)],
        peer=[_peak(bench.peer)],
        beside=[peak_memory("pass", str(bench.ours.python), bench.ours.variables)],
        beside_is="python -c pass",
    )


def _importing(product: Product) -> str:
    return f"from {product.module} import flow"


def _peak(product: Product) -> float:
    return peak_memory(_importing(product), str(product.python), product.variables)
