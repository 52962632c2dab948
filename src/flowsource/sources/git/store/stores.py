"""The bare store that keeps the objects of a remote repository on this machine, and gets well by itself."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dulwich.objects import ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from flowsource.errors import SourceUnavailable
from flowsource.sources.git.store.consolidating import consolidate, is_worth_it, sizes
from flowsource.sources.git.store.objects import DamagedObjects, Objects

# Each fetch adds a pack.
_MOST_PACKS: Final = 50


class UnusableAnswer(SourceUnavailable):
    """What was received cannot be stored: the answer is broken, or the store that it builds upon is."""


class ObjectStore:
    """A bare repository at `path`. The caller holds a lock on it across processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh = path.with_name(f"{path.name}.new")
        self._aside = path.with_name(f"{path.name}.old")

    @contextmanager
    def holding(
        self, commit: str, ref: str | None, fetch: Callable[[Repo], None], *, renew: bool = False
    ) -> Iterator[Repo]:
        """The store once it has `commit`, fetched first unless it is there already.

        `fetch` adds it to the repository it is given. `renew` says that the store is damaged and everything is to
        be fetched anew; the old store is given up only once the new one is complete.
        """
        self._sweep()
        if renew or not self._hold(commit, ref, fetch):
            self._rebuild(commit, ref, fetch)
        with Repo(str(self._path)) as repo:
            yield repo

    def _hold(self, commit: str, ref: str | None, fetch: Callable[[Repo], None]) -> bool:
        """Bring the store that is there up to date; whether that was possible."""
        try:
            repo = Repo(str(self._path))
        except Exception:
            # Missing, or damaged in one of many ways: the same is to be done.
            return False
        with repo:
            try:
                if Objects(repo.object_store).has(commit):
                    return True
                if len(repo.object_store.packs) >= _MOST_PACKS:
                    if not is_worth_it(sizes(repo)):
                        return False
                    consolidate(repo, tips(repo))
                fetch(repo)
            except (DamagedObjects, UnusableAnswer):
                return False
            _remember_tip(repo, commit, ref)
        return True

    def _rebuild(self, commit: str, ref: str | None, fetch: Callable[[Repo], None]) -> None:
        object_format = "sha1" if len(commit) == 40 else "sha256"
        # Named, or dulwich asks the configuration of whoever runs us, which may be broken, or not for us to read.
        branch = b"main"
        fresh = str(self._fresh)
        try:
            with Repo.init_bare(fresh, mkdir=True, object_format=object_format, default_branch=branch) as repo:
                fetch(repo)
                _remember_tip(repo, commit, ref)
        except BaseException:
            # Now, not at the next attempt: it may be the disk that is full.
            _remove(self._fresh)
            raise
        # Also where a file has taken its place, or a link that leads nowhere.
        if os.path.lexists(self._path):
            self._path.rename(self._aside)
        self._fresh.rename(self._path)
        _remove(self._aside)

    def _sweep(self) -> None:
        """Finish what a killed process was in the middle of, and remove what it left behind."""
        if not os.path.lexists(self._path) and self._aside.is_dir() and self._fresh.is_dir():
            # The old one is put aside only for a new one that is complete.
            self._fresh.rename(self._path)
        for debris in (self._fresh, self._aside):
            _remove(debris)
        # Packs that were being received, and locks, which would be waited for in vain: nobody else is at work here.
        for pattern in ("tmp*", "*.lock"):
            for left in self._path.rglob(pattern):
                left.unlink(missing_ok=True)


def _remove(debris: Path) -> None:
    if debris.is_dir() and not debris.is_symlink():
        shutil.rmtree(debris, ignore_errors=True)
    else:
        debris.unlink(missing_ok=True)


def tips(repo: Repo) -> list[str]:
    """The commits that a server can be told to be there."""
    found = set(repo.refs.as_dict(Ref(b"refs/heads")).values())
    # With a pack that was lost go commits that are still named.
    return sorted(tip.decode() for tip in found if tip in repo.object_store)


def _remember_tip(repo: Repo, commit: str, ref: str | None) -> None:
    """Keep `commit` where the next fetch offers it as known, one for each ref that is followed.

    Only what is under refs/heads/ is offered. The name is a digest because a branch `a` may be followed by `a/b`.
    """
    name = hashlib.sha256((ref or commit).encode(errors="surrogateescape")).hexdigest()[:16]
    repo.refs[Ref(b"refs/heads/" + name.encode())] = ObjectID(commit.encode())
    known = set(repo.refs.as_dict(Ref(b"refs/heads")).values())
    # None is there with its history. The boundary grows by one with each fetch, and all of it is sent with the next.
    repo.update_shallow(known, repo.get_shallow() - known)
