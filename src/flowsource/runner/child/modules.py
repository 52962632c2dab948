"""Import of user code, with bytecode that can never be that of other code.

Python trusts a `.pyc` whose source has the same size and the same whole second of change, so an edit, or another
revision at the same path, can be missed. Modules under the root of a run are looked up by the digest of their source
instead, in a directory of their own; all others (installed packages) are imported as always.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import sys
from collections.abc import Iterable
from functools import partial
from hashlib import sha256
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType


class DigestLoader(SourceFileLoader):
    """Loads a source file, taking its bytecode from `store` by the digest of path and source (None: never)."""

    def __init__(self, name: str, path: str, *, store: Path | None) -> None:
        super().__init__(name, path)
        self._store = store

    def get_code(self, fullname: str) -> CodeType:
        """The compiled module."""
        path = self.get_filename(fullname)
        source = self.get_data(path)
        if self._store is None:
            return self._compile(source, path)
        digest = sha256(b"\0".join((MAGIC_NUMBER, os.fsencode(path), source))).hexdigest()
        kept = self._store / f"{digest}.{sys.implementation.cache_tag}.pyc"
        # Not there yet, or damaged.
        with contextlib.suppress(OSError, EOFError, ValueError, TypeError):
            code = marshal.loads(kept.read_bytes())
            if isinstance(code, CodeType):
                return code
        code = self._compile(source, path)
        with contextlib.suppress(OSError):  # Then it is compiled again the next time.
            _write_whole(kept, marshal.dumps(code))
        return code

    def _compile(self, source: bytes, path: str) -> CodeType:
        code: CodeType = self.source_to_code(source, path)
        return code


def _places(paths: Iterable[str]) -> list[str]:
    return [os.path.realpath(path) + os.sep for path in paths if path]


# Taken when this is first imported, before any code of a run: what it may import from that is not its own code. A
# directory that a person named may hold just that.
_NAMED = _places(os.environ.get("PYTHONPATH", "").split(os.pathsep))
_INSTALLED = tuple(place for place in _places(sys.path) if place not in _NAMED)


def use_digest_loader(root: Path, store: Path | None) -> None:
    """From now on import the modules under `root` by their digest. For a process that runs one flow."""
    top = os.path.realpath(root) + os.sep
    loaders = [
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (partial(DigestLoader, store=store), SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    ]

    def find_under_root(path: str) -> FileFinder:
        place = os.path.realpath(path) + os.sep
        if not place.startswith(top) or place.startswith(_INSTALLED):
            raise ImportError(path)
        return FileFinder(path, *loaders)  # type: ignore[arg-type]  # a partial makes loaders as the class does

    sys.path_hooks.insert(0, find_under_root)
    for path in [known for known in sys.path_importer_cache if f"{known}{os.sep}".startswith(top)]:
        del sys.path_importer_cache[path]


def _write_whole(path: Path, data: bytes) -> None:
    """Many runs may write the same bytecode at once; each reader sees all of it or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
