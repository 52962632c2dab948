"""How long the `git` program takes for what is compared with it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def clone(url: str, into: Path) -> float:
    """Seconds that `git clone --depth 1` takes. The clone is removed, which does not count."""
    took = _timed(["git", "clone", "-q", "--depth", "1", url, str(into)])
    shutil.rmtree(into)
    return took


@dataclass(frozen=True, slots=True)
class BareClone:
    """A bare clone of depth 1 of the repository at `url`, in the directory `path`."""

    url: str
    path: Path

    @classmethod
    def create(cls, url: str, path: Path) -> BareClone:
        """Clone it."""
        subprocess.run(["git", "clone", "-q", "--bare", "--depth", "1", url, str(path)], check=True)
        return cls(url, path)

    def fetch(self) -> float:
        """Seconds that `git fetch --depth 1` takes."""
        return _timed([*self._git(), "fetch", "-q", "--depth", "1", self.url, "main"])

    def update(self, tip: str) -> float:
        """Seconds of a fetch with `git worktree add` of what came, the commit `tip`. The work tree is removed again."""
        tree = self.path.with_suffix(".tree")
        took = self.fetch() + _timed([*self._git(), "worktree", "add", "-q", "--detach", str(tree), tip])
        shutil.rmtree(tree)
        subprocess.run([*self._git(), "worktree", "prune"], check=True)
        return took

    def _git(self) -> Sequence[str]:
        return ["git", "-C", str(self.path)]


def _timed(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began
