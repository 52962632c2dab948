"""What is asked of a product that is compared: one protocol, by which both are driven in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Directory:
    """Flows in a directory of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class Git:
    """Flows in a Git repository, asked for what is new every `interval` seconds, or as often as is usual (None).

    `token` says that the server wants to see the user "robot" with what the variable REPOSITORY_TOKEN holds, and
    `authority` is the file of who vouches for that server.
    """

    url: str
    interval: int | None = None
    token: bool = False
    authority: Path | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """The function `flow` of the file `flows.py` there, served by that name."""

    flow: str
    name: str
    source: Directory | Git


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a product serves: `is_fastest` with its settings at their quickest, else as it comes; and at most `limit`
    runs at once, None for any number, or as many as is usual ("usual"). With `asks_before_runs` it asks a source before
    each run, where that wants to be said."""

    is_fastest: bool = False
    asks_before_runs: bool = False
    limit: int | str | None = "usual"


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of CPU so far: of the process that serves with all its runs, and of whoever answers requests."""

    serving: float
    answering: float

    def __sub__(self, earlier: Usage) -> Usage:
        return Usage(self.serving - earlier.serving, self.answering - earlier.answering)

    @property
    def whole(self) -> float:
        """Of all of it."""
        return self.serving + self.answering


@dataclass(frozen=True, slots=True)
class State:
    """The state of a run, in the words of the product in small letters, and whether it ended."""

    word: str
    is_final: bool
    is_good: bool


class Served(Protocol):
    """A process that serves, ready. `ready_after` is in seconds since its start, `log` is what it writes. `rhythm` is
    how many seconds lie between its looks for runs that were asked for, 0 for one that is told of each."""

    pid: int
    ready_after: float
    log: Path
    rhythm: float

    def exit_code(self) -> int | None:
        """The code with which the process that serves ended, or the signal below zero; None while it lives."""

    def ask(self, deployment: Deployment) -> str:
        """Ask for a run, without parameters, by the HTTP API of the product; the id of the run."""

    def state(self, run: str) -> State:
        """The state that it is in now."""

    def unfinished(self) -> int:
        """How many runs have not ended."""

    def completed(self) -> int:
        """How many runs have ended well."""

    def copy(self, run: str, count: int) -> None:
        """Have so many more runs in its database that are like this one, which has ended."""

    def hint(self, deployment: Deployment) -> None:
        """Have its source asked now; raises Missing for a product that cannot."""

    def usage(self) -> Usage:
        """What all of the product has used so far."""

    def processes(self) -> Sequence[int]:
        """All that the product needs to serve, and its runs."""


class World(Protocol):
    """A place in which nothing was ever served, with whatever server the product needs, which outlives a `serve`."""

    def serve(self, deployments: Sequence[Deployment], manner: Manner = Manner()) -> AbstractContextManager[Served]:
        """A process that serves those, until the block ends, or that process itself does.

        Raises RuntimeError with what it wrote if it does not become ready.
        """

    def told(self, run: str) -> State:
        """What whoever asks for the state of the run is told, even while nothing serves."""


class Product(Protocol):
    """A product, installed in an environment of its own whose interpreter is `python`. `module` is what flows import
    from, and `variables` is what each of its processes has in its environment, for tests of it and of nobody else."""

    name: str
    module: str
    python: Path
    variables: Mapping[str, str]

    def prepare(self) -> Mapping[str, str]:
        """Install it, unless that was done; the versions of it and of what matters beside it."""

    def world(self, place: Path, **variables: str) -> AbstractContextManager[World]:
        """A new world in the empty directory, whose processes have those variables as well."""


class Missing(Exception):
    """The product has no such thing."""


def flows(text: str, product: Product, **values: str) -> str:
    """A file of flows: `{module}` in the text is what this product is imported from, and so on for `values`."""
    return text.format(module=product.module, **values)
