"""Where the demonstration plays: a directory of its own, removed at the end, and a server in a process of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowsource.demo.repository import FixtureRepository
from flowsource.demo.server import serve_repository
from flowsource.demo.serving import Serving, serving
from flowsource.demo.trees import commit_trees

_OURS = ("FLOWSOURCE_HOME", "FLOWSOURCE_CACHE", "FLOWSOURCE_STORE")


@dataclass(frozen=True, slots=True)
class Stage:
    """All that the demonstration needs.

    `home` is its FLOWSOURCE_HOME, `url` the repository that is served. `workshop` is a copy of it such as a person
    has, from which commits are pushed; `trees` are what they hold, the first of them being there already.
    """

    home: Path
    url: str
    workshop: FixtureRepository
    trees: list[Path]
    serving: Serving


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage while the context is open. Nothing of it is left afterwards, and nothing of the user's is touched.

    While it is open, this process too looks for its store there.
    """
    trees = commit_trees()
    directory = Path(tempfile.mkdtemp(prefix="flowsource-demo-"))
    try:
        home, served = directory / "home", directory / "hello.git"
        FixtureRepository.create(served, trees[:1])
        workshop = FixtureRepository.create(directory / "workshop.git", trees[:1])
        with (
            _home_at(home),
            serve_repository(served) as remote,
            serving(remote.url, log=directory / "serving.log") as process,
        ):
            yield Stage(home, remote.url, workshop, trees, process)
    finally:
        _remove(directory)


@contextmanager
def _home_at(home: Path) -> Iterator[None]:
    before = {name: os.environ.pop(name) for name in _OURS if name in os.environ}
    os.environ["FLOWSOURCE_HOME"] = str(home)
    try:
        yield
    finally:
        del os.environ["FLOWSOURCE_HOME"]
        os.environ.update(before)


def _remove(directory: Path) -> None:
    # What is published is read-only, its directories too.
    for path, _, _ in os.walk(directory):
        os.chmod(path, 0o700)
    shutil.rmtree(directory)
