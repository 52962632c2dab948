"""Git repositories that are pushed to, made by the `git` program."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Remote:
    """A bare repository with one branch, `main`."""

    path: Path

    @classmethod
    def create(cls, path: Path, files: Mapping[str, str]) -> Remote:
        """A new one with a first commit that holds those files, content by path."""
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
        remote = cls(path)
        remote._commit(files, after="")
        return remote

    def push(self, files: Mapping[str, str]) -> None:
        """Put a commit that holds exactly those files on top of the branch."""
        self._commit(files, after="from refs/heads/main^0\n")

    def force(self, files: Mapping[str, str]) -> None:
        """Have the branch hold one commit alone, of exactly those files, as if nothing had ever been before."""
        self._commit(files, after="")

    def _commit(self, files: Mapping[str, str], *, after: str) -> None:
        said = "commit refs/heads/main\ncommitter A <a@example.org> now\ndata 6\nchange\n" + after + "deleteall\n"
        for path, content in files.items():
            said += f"M 100644 inline {path}\ndata {len(content.encode())}\n{content}\n"
        command = ["git", "-C", str(self.path), "fast-import", "--quiet", "--force", "--date-format=now"]
        subprocess.run(command, input=said.encode(), check=True)
