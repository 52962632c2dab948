"""A directory that a test fills, and the source that reads it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowsource.sources.base import Source


def fill(directory: Path, files: Mapping[str, str | bytes]) -> None:
    """Let `directory` hold exactly `files`, content by path."""
    if directory.exists():
        shutil.rmtree(directory)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@dataclass(frozen=True, slots=True)
class DirectoryRemote:
    """A directory and the source that reads it, as the contract of sources wants it."""

    directory: Path
    source: Source

    def push(self, files: Mapping[str, str | bytes]) -> None:
        """Let the directory hold exactly `files`."""
        fill(self.directory, files)
