"""Environments of Python, each with one product, made once and again whenever what goes into one changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_STAMP = "made-of.json"
_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment in the directory `path`."""

    path: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    def ensure(self, requirements: Sequence[str], made_of: str = "") -> None:
        """Have it hold the requirements, as pip takes them, and nothing that an earlier `made_of` left.

        Raises subprocess.CalledProcessError when pip cannot do it.
        """
        wanted = json.dumps([sys.version, *requirements, made_of])
        stamp = self.path / _STAMP
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return
        print(f"setting up {self.path.name} in {self.path}", flush=True)
        shutil.rmtree(self.path, ignore_errors=True)
        venv.create(self.path, with_pip=True, symlinks=True)
        pip = [str(self.python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        # Written last: what was interrupted is done again.
        stamp.write_text(wanted, encoding="utf-8")

    def versions(self, *names: str) -> Mapping[str, str]:
        """The versions of what is installed there, by name."""
        command = [str(self.python), "-c", _VERSIONS, *names]
        versions: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return versions


def digest_of(files: Iterable[Path]) -> str:
    """What tells these files, with their content, from others."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(os.fsencode(file) + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def without(environ: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    """The variables but for those that begin so, and for what would keep Python from writing bytecode: users run from
    it."""
    kept = {name: value for name, value in environ.items() if not name.startswith(prefixes)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept
