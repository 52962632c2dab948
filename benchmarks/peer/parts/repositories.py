"""How long Git repositories of three sizes, and of short and long histories, take from the remote to the disk."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.git_clones import BareClone, clone
from benchmarks.git_repositories import SHAPES, Shape, change, make
from benchmarks.git_serving import serving
from benchmarks.peer.bench import Bench
from benchmarks.peer.fetching import Fetching, fetching
from benchmarks.peer.figures import Row
from benchmarks.peer.turns import in_turns

# In memory where that can be: the disk of a machine is no part of what is compared.
MEMORY = Path("/dev/shm")
ROUNDS = {"small": 10, "medium": 5, "large": 3}
HISTORY_ROUNDS = 5
HISTORY_FILES, HISTORY_SIZE = 500, 2_000_000


@dataclass(frozen=True, slots=True)
class Sides:
    """A repository, the address at which it is served, and who fetches it; Git itself into `place`."""

    url: str
    path: Path
    place: Path
    ours: Fetching
    peer: Fetching


def take(bench: Bench) -> Iterator[Row]:
    """Each repository by ours, by the peer, and by Git, in turns."""
    shapes = [shape for shape in SHAPES if shape.name in bench.size.shapes]
    for shape in shapes:
        with _sides(bench, shape) as sides:
            yield from _rows(sides, shape, ROUNDS[shape.name])
    for commits in bench.size.histories:
        shape = Shape(f"history-{commits}", HISTORY_FILES, HISTORY_SIZE, commits)
        with _sides(bench, shape) as sides:
            yield _first(
                sides,
                HISTORY_ROUNDS,
                f"first clone, {HISTORY_FILES} files, {commits:,} commits",
                "Seconds of a first clone of 500 files",
                "commits",
                commits,
            )


def _rows(sides: Sides, shape: Shape, rounds: int) -> Iterator[Row]:
    of = f"{shape.name} repository ({shape.files:,} files, {shape.size / 1e6:g} MB, {shape.commits:,} commits)"
    yield _first(sides, rounds, f"{of}: first clone", "Seconds of a first clone", "files", shape.files)
    bare = BareClone.create(sides.url, sides.place / "bare.git")
    ours, peer, git = in_turns(sides.ours.fetch, sides.peer.fetch, bare.fetch, rounds=rounds)
    yield Row(
        what=f"{of}: a poll in vain",
        unit="s",
        ours=ours,
        peer=peer,
        beside=git,
        beside_is="git fetch --depth 1",
        series="Seconds of a poll in vain",
        over="files",
        at=shape.files,
    )
    numbers = itertools.count(1)
    # Ours has the first turn, and the commit that all of them take is made before it.
    tips: list[str] = []

    def by_ours() -> float:
        tips.append(change(sides.path, next(numbers)))
        return sides.ours.fetch()

    ours, peer, git = in_turns(by_ours, sides.peer.fetch, lambda: bare.update(tips[-1]), rounds=rounds)
    yield Row(
        what=f"{of}: one file changed",
        unit="s",
        ours=ours,
        peer=peer,
        beside=git,
        beside_is="git fetch + git worktree add",
        series="Seconds of an update of one file",
        over="files",
        at=shape.files,
    )


def _first(sides: Sides, rounds: int, what: str, series: str, over: str, at: int) -> Row:
    ours, peer, git = in_turns(
        sides.ours.first, sides.peer.first, lambda: clone(sides.url, sides.place / "clone"), rounds=rounds
    )
    return Row(
        what=what,
        unit="s",
        ours=ours,
        peer=peer,
        beside=git,
        beside_is="git clone --depth 1",
        series=series,
        over=over,
        at=at,
    )


@contextmanager
def _sides(bench: Bench, shape: Shape) -> Iterator[Sides]:
    originals = bench.place.parent / "repositories"
    originals.mkdir(exist_ok=True)
    original = make(shape, originals)
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.exists() else bench.place))
        place = Path(directory)
        # A copy, since it is committed to.
        path = Path(shutil.copytree(original, place / "served" / "flows.git"))
        url = f"{stack.enter_context(serving(place / 'served'))}/flows.git"
        ours, peer = (
            stack.enter_context(fetching(product, place / product.module, "git", url)) for product in bench.products
        )
        yield Sides(url, path, place, ours, peer)
