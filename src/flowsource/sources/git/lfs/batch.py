"""The batch API of Git LFS: what is asked of a server, and what its answer says of each file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flowsource.sources.git.lfs.pointers import Pointer
from flowsource.sources.git.text import harmless

MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
# As many as the specification lets a client hope for.
MOST: Final = 100

_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_VALUE: Final = re.compile(r"[\x20-\x7e]{0,16384}")
# They say how the request itself is made, which is ours to say.
_NOT_THEIRS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade", "expect"}
)


@dataclass(frozen=True, slots=True)
class Download:
    """Where a file is to be had, and with what headers; both may hold secrets."""

    href: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a file is not to be had."""

    code: int
    why: str


def request_body(pointers: Sequence[Pointer], ref: str | None) -> bytes:
    """The request for `pointers`, of which there are at most `MOST`."""
    asked: dict[str, Any] = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": one.oid, "size": one.size} for one in pointers],
        "hash_algo": "sha256",
    }
    if ref is not None:
        # Some servers let a person read one branch and not another.
        asked["ref"] = {"name": ref}
    return json.dumps(asked).encode()


def parse_answer(body: bytes) -> dict[str, Download | Refused]:
    """What the answer says of each file, by oid; raises ValueError for an answer that makes no sense."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("objects"), list):
        raise ValueError("it names no objects")
    if answer.get("transfer", "basic") != "basic":
        raise ValueError("it wants the files to be transferred in a way that was not offered")
    if answer.get("hash_algo", "sha256") != "sha256":
        raise ValueError("it names objects by another hash")
    found: dict[str, Download | Refused] = {}
    for one in answer["objects"]:
        if not isinstance(one, dict) or not isinstance(one.get("oid"), str):
            raise ValueError("it names an object without its id")
        found[one["oid"]] = _parse_object(one)
    return found


def _parse_object(one: dict[str, Any]) -> Download | Refused:
    if isinstance(error := one.get("error"), dict):
        code = error.get("code")
        return Refused(code if isinstance(code, int) else 0, harmless(str(error.get("message", ""))))
    actions = one.get("actions")
    action = actions.get("download") if isinstance(actions, dict) else None
    if not isinstance(action, dict) or not isinstance(action.get("href"), str):
        return Refused(404, "it is not there")
    headers = action.get("header") or {}
    if not isinstance(headers, dict):
        raise ValueError("the headers of a download are none")
    return Download(action["href"], {name: _checked(name, value) for name, value in headers.items() if _theirs(name)})


def _theirs(name: str) -> bool:
    return name.lower() not in _NOT_THEIRS


def _checked(name: str, value: object) -> str:
    if not _HEADER.fullmatch(name) or not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError("a header of a download is none")
    return value
