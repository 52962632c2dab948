"""A repository in a directory of this machine, read where it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dulwich.errors import NotGitRepository
from dulwich.object_store import peel_sha
from dulwich.objects import ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from flowsource.errors import RevisionGone, SourceError, SourceInvalid, SourceMissing, SourceUnavailable
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.export import Export
from flowsource.sources.git.refs import Advertised
from flowsource.sources.git.store.objects import Objects
from flowsource.sources.git.text import harmless
from flowsource.sources.git.wire.history import TooMuchHistory, is_ancestor

_HEAD = Ref(b"HEAD")


class LocalRepository:
    """A repository at `path`, bare or not. Opened anew each time: others write to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def refs(self, prefixes: Sequence[str], *, checkpoint: Checkpoint) -> Advertised:
        """The refs whose names begin with one of `prefixes`."""
        wanted = tuple(prefix.encode(errors="surrogateescape") for prefix in prefixes)
        with self._open() as repo, self._undamaged():
            chain, _ = repo.refs.follow(_HEAD)
            head = chain[-1] if len(chain) > 1 else None
            objects, peeled = {}, {}
            for name in {*repo.refs.allkeys(), _HEAD}:
                checkpoint()
                if name.startswith(wanted) and (found := _peeled(repo, name)):
                    text = name.decode(errors="surrogateescape")
                    objects[text], peeled[text] = found
        return Advertised(objects, peeled, head.decode(errors="surrogateescape") if head else None)

    def descends(self, new: str, old: str, *, checkpoint: Checkpoint) -> bool | None:
        """Whether commit `new` has `old` among its ancestors; None when that cannot be told."""
        with self._open() as repo, self._undamaged():
            provider = repo.parents_provider()

            def parents(commit: str) -> list[str]:
                return [parent.decode() for parent in provider.get_parents(ObjectID(commit.encode()))]

            try:
                return is_ancestor(old, new, parents, checkpoint)
            except (KeyError, TooMuchHistory):
                # One that is missing, from a repository that is shallow or tidied up.
                return None

    @contextmanager
    def objects(
        self, commit: str, ref: str | None, export: Export, *, workspace: Path, checkpoint: Checkpoint, renew: bool
    ) -> Iterator[Objects]:
        """The objects of the repository, which must have `commit`; raises RevisionGone.

        They are read where they are, so there is nothing to keep in `workspace` and nothing to `renew` but the open
        files: a repack replaces those.
        """
        with self._open() as repo:
            objects = Objects(repo.object_store)
            if not objects.has(commit):
                raise RevisionGone(
                    f"{self._path} has no commit {commit}; correct the commit, or bring it back with a branch."
                )
            yield objects

    @contextmanager
    def _open(self) -> Iterator[Repo]:
        with self._undamaged():
            try:
                repo = Repo(str(self._path))
            except NotGitRepository:
                there = "is not a Git repository" if self._path.exists() else "does not exist"
                raise SourceMissing(f"{self._path} {there}; correct the path.") from None
        with repo:
            yield repo

    @contextmanager
    def _undamaged(self) -> Iterator[None]:
        """Say in our words what dulwich finds wrong with a repository, which it does with a dozen exceptions."""
        try:
            yield
        except SourceError:
            raise
        except OSError as error:
            raise SourceUnavailable(f"{self._path} cannot be read: {error.strerror}.") from error
        except Exception as error:
            problem = f"{type(error).__name__}: {harmless(str(error))}"
            raise SourceInvalid(f"{self._path} is damaged ({problem}); mend it with the help of `git fsck`.") from error


def _peeled(repo: Repo, name: Ref) -> tuple[str, str] | None:
    """The object that a ref names and what that leads to in the end; None for a ref that leads nowhere."""
    try:
        object_id = repo.refs[name]
        return object_id.decode("ascii"), peel_sha(repo.object_store, object_id)[1].id.decode("ascii")
    except KeyError:
        return None
