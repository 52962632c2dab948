"""Filling a tree with a commit, and with what the commit names in other places: files of Git LFS, and submodules."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from dulwich.objects import Commit

from flowsource.errors import SourceError, SourceInvalid, SourceUnavailable
from flowsource.sources.base import Report
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.choices import Choice
from flowsource.sources.git.export import GITMODULES, LFSCONFIG, Export
from flowsource.sources.git.lfs.files import Lfs
from flowsource.sources.git.parts import of_part
from flowsource.sources.git.remotes import Remote
from flowsource.sources.git.scope import Scope
from flowsource.sources.git.store.objects import DamagedObjects, Objects
from flowsource.sources.git.submodules import parse_gitmodules, resolve_url
from flowsource.sources.git.text import harmless
from flowsource.sources.writing import TreeWriter

_DEEPEST: Final = 10
_MOST: Final = 500

# Of submodules, beside that of the repository. One that was of no use for so many seconds is given up.
_STORES: Final = "submodules"
_KEPT_FOR: Final = 30 * 86_400


class Repository(Protocol):
    """A place that has objects: on a server, or in a directory."""

    def objects(
        self, commit: str, ref: str | None, export: Export, *, workspace: Path, checkpoint: Checkpoint, renew: bool
    ) -> AbstractContextManager[Objects]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A commit that is written below `path` in the tree: the one that is asked for, or a submodule's."""

    repository: Repository
    remote: Remote
    commit: str
    scope: Scope
    workspace: Path
    ref: str | None = None
    tag: str | None = None
    path: bytes = b""
    depth: int = 0


class Filling:
    """Writes one commit into the tree `into`, with all of `choice` that belongs to it.

    `check` is asked of its objects before anything else is done with them.
    """

    def __init__(
        self,
        into: TreeWriter,
        choice: Choice,
        *,
        checkpoint: Checkpoint,
        report: Report,
        check: Callable[[Objects], None],
    ) -> None:
        self._into, self._choice, self._checkpoint, self._report = into, choice, checkpoint, report
        self._check = check
        self._lfs = Lfs(into, checkpoint)

    def fill(self, top: Part) -> Commit:
        """Write `top` and its submodules, and theirs; the commit of `top`.

        Raises SourceError, which names the submodule that it concerns.
        """
        record, pending = self._write(top)
        count = len(pending)
        parts = deque(pending)
        while parts:
            part = parts.popleft()
            with _concerning(part.path):
                below = self._write(part)[1]
                count += len(below)
                if count > _MOST:
                    raise SourceInvalid(f"with those in it there are more than {_MOST} submodules; leave some out.")
            parts.extend(below)
        if count:
            _tidy(top.workspace / _STORES)
        return record

    def _write(self, part: Part) -> tuple[Commit, list[Part]]:
        damage: DamagedObjects | None = None
        # A second attempt does not write, or read, what the first has written.
        notes: dict[bytes, bytes] = {}
        for renew in (False, True):
            try:
                record, export = self._export(part, notes, renew=renew)
            except DamagedObjects as error:
                damage = error
                continue
            return record, self._follow(part, export, notes)
        raise SourceUnavailable(
            f"{part.remote.address} gave objects that are damaged ({damage}); check the repository with `git fsck`."
        ) from damage

    def _export(self, part: Part, notes: dict[bytes, bytes], *, renew: bool) -> tuple[Commit, Export]:
        export = Export(
            part.commit,
            self._into,
            part.scope,
            checkpoint=self._checkpoint,
            path=part.path,
            expands_lfs=self._choice.lfs,
            tag=part.tag,
            notes=notes,
            report=self._report,
        )
        opened = part.repository.objects(
            part.commit, part.ref, export, workspace=part.workspace, checkpoint=self._checkpoint, renew=renew
        )
        with opened as objects:
            if not part.depth:
                self._check(objects)
            record = objects.commit(part.commit)
            export.finish(objects)
        return record, export

    def _follow(self, part: Part, export: Export, notes: dict[bytes, bytes]) -> list[Part]:
        """Write the files of Git LFS, and find the submodules."""
        prefix = part.path + b"/" if part.path else b""
        pointers = {prefix + path: pointer for path, pointer in export.pointers.items()}
        self._lfs.write(pointers, part.remote, config=notes.get(LFSCONFIG, b""), ref=part.ref)
        if not self._choice.submodules or not export.submodules:
            return []
        urls = parse_gitmodules(notes.get(GITMODULES, b""))
        found = (self._submodule(part, path, prefix + path, commit, urls) for path, commit in export.submodules.items())
        return [one for one in found if one is not None]

    def _submodule(
        self, part: Part, path: bytes, full_path: bytes, commit: str, urls: dict[bytes, str | None]
    ) -> Part | None:
        if (scope := part.scope.of_submodule(path)) is None:
            return None
        with _concerning(full_path):
            if path not in urls:
                raise SourceInvalid(".gitmodules does not say where it is; add it there, or remove it.")
            if (url := urls[path]) is None:
                return None
            if part.depth >= _DEEPEST:
                raise SourceInvalid(f"submodules are nested more than {_DEEPEST} deep; leave it out.")
            remote = part.remote.at(resolve_url(url, part.remote.address))
        name = hashlib.sha256(remote.identity.encode(errors="surrogateescape")).hexdigest()[:32]
        workspace = (part.workspace.parent if part.depth else part.workspace / _STORES) / name
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(workspace)
        return Part(
            repository=remote.open(),
            remote=remote,
            commit=commit,
            scope=scope,
            workspace=workspace,
            path=full_path,
            depth=part.depth + 1,
        )


def _tidy(stores: Path) -> None:
    """Remove what belongs to submodules that have not been asked for lately."""
    for store in stores.iterdir():
        if store.stat().st_mtime < time.time() - _KEPT_FOR:
            shutil.rmtree(store, ignore_errors=True)


@contextmanager
def _concerning(path: bytes) -> Iterator[None]:
    """Name the submodule at `path` in what goes wrong with it."""
    try:
        yield
    except SourceError as error:
        raise of_part(f"submodule {harmless(os.fsdecode(path))!r}", error) from error
