"""Writing so that a power cut cannot undo it, and removing so that nothing outside is touched."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

from flowsource.sources.replacing import replacing


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file `path`: a reader finds the old content or the new, whole, also after a power cut."""
    with replacing(path) as beside, beside.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Return when the names in `directory` are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(directory: Path) -> None:
    """Return when everything written so far to the file system of `directory` is on the disk.

    One call for a whole tree: fsync on each of 2,000 files takes sixteen times as long.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(directory))
    finally:
        os.close(descriptor)


def remove_tree(directory: Path) -> None:
    """Remove `directory` with all that is in it, read-only or not; links are removed, never followed."""
    if not directory.is_symlink() and directory.is_dir():
        _make_writable(directory)
        shutil.rmtree(directory)
    else:
        directory.unlink(missing_ok=True)


def _make_writable(directory: Path) -> None:
    directory.chmod(0o700)
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _make_writable(Path(entry))
