"""What a repository says of its submodules: read, and refused where Git would refuse it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from dulwich.config import ConfigFile

from flowsource.errors import InvalidInput, SourceInvalid
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address, parse_url, redacted
from flowsource.sources.names import check_name, check_path, unsafe

_LARGEST: Final = 1 << 20
_HEAD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*/|(?:[^/:\s]+@)?(?:\[[^]]*\]|[^/:\s]+):")


def parse_gitmodules(data: bytes) -> dict[bytes, str | None]:
    """The URL of each submodule by its path, as a `.gitmodules` has them; None for one that is to be left out.

    Raises SourceInvalid, or UnsafeTree, naming what must not stand there.
    """
    found: dict[bytes, str | None] = {}
    for name, settings in _sections(data):
        shown = harmless(os.fsdecode(name))
        if not name or b".." in re.split(rb"[/\\]", name):
            raise _refused(f"{shown!r} is not the name of a submodule")
        path, url, update = (settings.get(key) for key in (b"path", b"url", b"update"))
        if update is not None and update.startswith(b"!"):
            raise _refused(f"submodule {shown!r} asks for a program to be run")
        if path is None or url is None:
            continue
        _check_path(path)
        if path in found:
            raise _refused(f"two submodules have the path {harmless(os.fsdecode(path))!r}")
        found[path] = None if update == b"none" else os.fsdecode(url)
    return found


def resolve_url(url: str, parent: Address) -> Address:
    """Where a submodule of the repository at `parent` is; raises SourceInvalid for what no submodule may name."""
    try:
        address, userinfo = parse_url(_absolute(url, parent))
    except InvalidInput as error:
        raise SourceInvalid(f"{error} It stands in .gitmodules.") from None
    if userinfo is not None and userinfo.password is not None:
        raise _refused(f"the URL {redacted(url)!r} holds a password, which shows wherever the repository does")
    if address.path is not None and parent.path is None:
        raise _refused(f"the URL {harmless(redacted(url))!r} is of a directory, and {parent} is on a server")
    return address


def _absolute(url: str, parent: Address) -> str:
    if not url.startswith(("./", "../")):
        if parent.path is not None and not url.startswith("/") and "://" not in url and ":" not in url:
            raise _refused(f"the URL {harmless(url)!r} is not one; write ./{harmless(url)} for what lies below")
        return url
    if parent.path is not None:
        return os.path.join(parent.path, url)  # Put in order, with its dots, by who parses it.
    # As Git does it, but for one thing: nothing leads up and out of the host.
    head = _HEAD.match(parent.url)
    assert head is not None, "an address that is no path has a host"
    names = parent.url[head.end() :].rstrip("/").split("/")
    for name in url.split("/"):
        if name == "..":
            if not names:
                raise _refused(f"the URL {harmless(url)!r} leads out of the host of {parent}")
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return head[0] + "/".join(names)


def _sections(data: bytes) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    if len(data) > _LARGEST:
        raise _refused(f"it is larger than {_LARGEST >> 20} MiB")
    try:
        # It may say to read other files too, on whatever machine it is read.
        config = ConfigFile.from_file(BytesIO(data), expand_includes=False)
        for section in config.sections():
            if len(section) == 2 and section[0].lower() == b"submodule":
                yield section[1], {key.lower(): value for key, value in config.items(section)}
    except ValueError as error:
        raise _refused(f"it cannot be read ({harmless(str(error))})") from error


def _check_path(path: bytes) -> None:
    if path.startswith(b"-"):
        raise unsafe(path, "the path of a submodule begins with a dash")
    check_path(path)
    for name in path.split(b"/"):
        check_name(name, path)


def _refused(what: str) -> SourceInvalid:
    return SourceInvalid(f".gitmodules: {what}. Mend it in a new commit.")
