"""Which part of two snapshots is the same: decided from what their manifests say, without reading a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from flowsource.entrypoints import Entrypoint
from flowsource.sources.content import Entry


def tree_id(entries: Iterable[Entry], paths: Sequence[str]) -> str:
    """A digest of the names, modes and contents of all files at or below `paths`; of all there are where none is given.

    Equal ids are equal files. The converse holds where both manifests name contents in the same way.

    >>> one = [Entry("flows/a.py", "0444", 1, "sha256:1"), Entry("flows.py", "0444", 1, "sha256:2")]
    >>> tree_id(one, ["flows"]) == tree_id(one[:1], [])
    True
    """
    digest = hashlib.sha256()
    for entry in sorted(entries):
        if not paths or any(_is_below(entry.path, path) for path in paths):
            told = f"{entry.mode}\0{entry.size}\0{entry.digest}\0{entry.path}\0"
            digest.update(told.encode(errors="surrogateescape"))
    return digest.hexdigest()


def paths_of(entrypoint: Entrypoint, declared: Sequence[str]) -> tuple[str, ...]:
    """What a flow is made of: the declared paths and, whatever they say, where its own code is; none means all.

    >>> from flowsource.entrypoints import parse
    >>> paths_of(parse("flows/etl.py:nightly"), ["lib"])
    ('lib', 'flows/etl.py')
    """
    if not declared:
        return ()
    if entrypoint.file is not None:
        return (*declared, entrypoint.file)
    top = str(entrypoint.module).partition(".")[0]
    return (*declared, top, f"{top}.py")


def _is_below(path: str, top: str) -> bool:
    """Whether `path` is `top`, or lies in that directory."""
    return path == top or path.startswith(f"{top}/")
