"""What both need while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.git_serving import serving
from benchmarks.measure import memory_of
from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Row
from benchmarks.peer.products import Deployment, Directory, Git, Product, Served
from benchmarks.peer.remotes import Remote
from benchmarks.peer.speaking import Place

# What is done once after a start is no part of being idle.
SETTLING = 10.0
# From so many on they are of a directory.
MANY = 100


def take(bench: Bench) -> Iterator[Row]:
    """With few and with many deployments: of one Git repository, and, since so many clones would take too long, the
    most of them of a directory."""
    for count in bench.size.idle:
        with ExitStack() as stack:
            # At once: what idles is in nobody's way, and what each uses is counted apart.
            served = [_serving(bench, product, count, stack) for product in bench.products]
            time.sleep(SETTLING)
            before, began = [one.usage() for one in served], time.perf_counter()
            time.sleep(bench.size.idle_seconds)
            took = time.perf_counter() - began
            used = [(one.usage() - then).whole / took * 100 for one, then in zip(served, before, strict=True)]
            memory = [sum(memory_of(pid).proportional for pid in one.processes()) for one in served]
        of = (
            f"{count:,} deployment{'s' if count > 1 else ''} of {'a Git repository' if count < MANY else 'a directory'}"
        )
        yield Row(
            what=f"idle with {of}",
            unit="% of a core",
            ours=used[:1],
            peer=used[1:],
            series="Idle CPU, % of a core",
            over="deployments",
            at=count,
        )
        yield Row(
            what=f"idle with {of}",
            unit="MiB",
            ours=memory[:1],
            peer=memory[1:],
            series="Idle memory, MiB",
            over="deployments",
            at=count,
        )


def _serving(bench: Bench, product: Product, count: int, stack: ExitStack) -> Served:
    place = Place.fresh(bench, product)
    source: Git | Directory
    if count < MANY:
        remotes = place.root / "remotes"
        remotes.mkdir()
        Remote.create(remotes / "flows.git", place.files())
        source = Git(f"{stack.enter_context(serving(remotes))}/flows.git")
    else:
        source = Directory(place.root / "flows")
        source.path.mkdir()
        for name, content in place.files().items():
            (source.path / name).write_text(content, encoding="utf-8")
    world = stack.enter_context(product.world(place.root / "world"))
    deployments = [Deployment("speak", f"number-{number}", source) for number in range(count)]
    return stack.enter_context(world.serve(deployments))
