"""Disks that are small enough to be filled."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.parts import lacks, requires


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own at `path`."""

    path: Path

    @property
    def used(self) -> int:
        """Bytes in use, without what `fill` took."""
        facts = os.statvfs(self.path)
        filler = self._filler.stat().st_size if self._filler.exists() else 0
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize - filler

    @property
    def _filler(self) -> Path:
        return self.path / "filler"

    def fill(self, *, leave: int) -> None:
        """Take all of it but `leave` bytes."""
        facts = os.statvfs(self.path)
        try:
            self._filler.write_bytes(bytes(max(facts.f_bavail * facts.f_frsize - leave, 0)))
        except OSError as error:
            # Others write as well, and took some of it first.
            if error.errno != errno.ENOSPC:
                raise

    def free(self) -> None:
        """Give back what was taken."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(at: Path, *, size: int) -> Iterator[SmallDisk]:
    """A disk of `size` bytes at the new directory `at`. Skips the test, saying why, where none can be had."""
    requires("mount")
    if os.geteuid() != 0:
        lacks("only root can mount a disk")
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", at],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        lacks(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(at)
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)
