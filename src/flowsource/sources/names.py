"""Which names may be written, and how one that may not is told."""

from __future__ import annotations

import os
import re
from typing import Final

from flowsource.errors import UnsafeTree
from flowsource.sources.limits import DEEPEST, LONGEST_NAME, LONGEST_PATH

# Most names are such, and none that could be taken for another one is.
_ORDINARY: Final = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def unsafe(path: bytes, reason: str) -> UnsafeTree:
    """The error that refuses a revision because of what is at `path`."""
    return UnsafeTree(f"the revision was not written: {_shown(path)}: {reason}. Mend it at the source.")


def check_name(name: bytes, path: bytes) -> None:
    """Raise UnsafeTree, naming `path`, unless `name` can be that of a file in a directory."""
    if _ORDINARY.fullmatch(name) is None and (reason := _reason_against(name)) is not None:
        raise unsafe(path, reason)


def check_path(path: bytes) -> None:
    """Raise UnsafeTree for a path that is absolute, too long or too deep."""
    if path.startswith(b"/"):
        raise unsafe(path, "the path is absolute")
    if len(path) > LONGEST_PATH:
        raise unsafe(path, f"the path is longer than {LONGEST_PATH} bytes")
    if path.count(b"/") > DEEPEST:
        raise unsafe(path, f"directories are nested more than {DEEPEST} deep")


def _reason_against(name: bytes) -> str | None:
    # Here, not above: a directory is watched without Git.
    from dulwich.index import validate_path_element_default, validate_path_element_hfs, validate_path_element_ntfs

    if len(name) > LONGEST_NAME:
        return f"the name is longer than {LONGEST_NAME} bytes"
    if b"/" in name or not validate_path_element_default(name) or not validate_path_element_ntfs(name):
        return "the name could lead out of the directory, or into Git's own"
    # A name that is no UTF-8 cannot exist on the file system this protects, so it is no danger there.
    if _is_utf8(name) and not validate_path_element_hfs(name):
        return "the name could lead into Git's own directory"
    return "the name holds a NUL" if b"\0" in name else None


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _shown(path: bytes) -> str:
    text = path if len(path) <= 200 else path[:200] + b"..."
    return repr(os.fsdecode(text))
