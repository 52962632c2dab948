"""The place a run works at: the code of its revision, held on the disk, and the directories of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from flowsource.runner.workshop import Served, Workshop
from flowsource.runs import Run
from flowsource.snapshots.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where one attempt of a run finds its code, its bytecode and its scratch directory. It starts in `directory`."""

    snapshot: Snapshot
    directory: Path
    bytecode: Path
    scratch: Path


@asynccontextmanager
async def workplace(run: Run, served: Served, shop: Workshop) -> AsyncIterator[Workplace]:
    """The place for this attempt, there while the block goes on; what the run leaves in it is removed after.

    Raises SourceError when the code cannot be had.
    """
    assert run.revision is not None, "a claimed run has its revision"
    snapshot = await shop.cache.ensure(served.source, run.revision)
    # By the claim, not by the run: what is left of an attempt is removed while the next one may be there already.
    scratch, copy = (shop.scratch / f"{run.id}-{run.epoch}{kind}" for kind in ("", "-work"))
    is_private = served.deployment.declared.workdir == "private"
    # The snapshot stays on the disk as long as the process lives.
    with shop.cache.lease(snapshot):
        try:
            scratch.mkdir(mode=0o700, parents=True)
            if is_private:
                await anyio.to_thread.run_sync(_copy, snapshot.root, copy)
            yield Workplace(
                snapshot=snapshot,
                directory=copy if is_private else served.directory or snapshot.root,
                bytecode=shop.cache.bytecode(snapshot),
                scratch=scratch,
            )
        finally:
            with anyio.CancelScope(shield=True):
                await _remove(scratch)
                if is_private:
                    await anyio.to_thread.run_sync(_remove_tree, copy)


def _copy(root: Path, copy: Path) -> None:
    """A copy of the tree at `root` that may be written to."""
    copy.mkdir(mode=0o700)
    shutil.copytree(
        root, copy, symlinks=True, dirs_exist_ok=True, copy_function=_copy_file, ignore=shutil.ignore_patterns(".git")
    )
    copy.chmod(0o700)
    for directory, names, _ in os.walk(copy):
        for name in names:
            inner = Path(directory, name)
            if not inner.is_symlink():
                inner.chmod(0o700)


def _copy_file(source: str, target: str, *, follow_symlinks: bool = True) -> None:
    shutil.copyfile(source, target, follow_symlinks=follow_symlinks)
    if not os.path.islink(target):
        os.chmod(target, 0o700 if os.stat(source).st_mode & 0o100 else 0o600)


async def _remove(scratch: Path) -> None:
    try:
        scratch.rmdir()  # noqa: ASYNC240 - most runs leave it empty, and a thread costs more than this one call
    except OSError:
        await anyio.to_thread.run_sync(_remove_tree, scratch)


def _remove_tree(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
