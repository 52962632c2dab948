"""The batch API of Git LFS beside a Git server, and a host that has the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


def oid_of(content: bytes) -> str:
    """What Git LFS knows a file by."""
    return hashlib.sha256(content).hexdigest()


def pointer_to(content: bytes) -> str:
    """What stands in a commit for a file of that content."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid_of(content)}\nsize {len(content)}\n"


@dataclass(slots=True)
class LfsObjects:
    """Files by their ids, given out at `/objects/<oid>`; `asked` has the batches that were asked for."""

    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    href: Callable[[str], str] = lambda oid: f"/objects/{oid}"
    headers: Mapping[str, str] = field(default_factory=dict)
    # Sends a download on, by its path.
    moved: dict[str, str] = field(default_factory=dict)
    # What to answer in place of a batch.
    answer: bytes | None = None

    def add(self, content: bytes) -> str:
        """Keep a file, and return the pointer to it."""
        self.contents[oid_of(content)] = content
        return pointer_to(content)

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, Mapping[str, str], bytes] | None:
        """Answer a request, if it is one for this."""
        if method == "POST" and path.endswith("/objects/batch"):
            return 200, {"Content-Type": "application/vnd.git-lfs+json"}, self.answer or self._batch(json.loads(body))
        if method != "GET" or "/objects/" not in path or "/info/refs" in path:
            return None
        if path in self.moved:
            return 302, {"Location": self.moved[path]}, b""
        content = self.contents.get(path.partition("?")[0].rpartition("/")[2])
        return (200, {"Content-Type": "application/octet-stream"}, content) if content is not None else (404, {}, b"")

    def _batch(self, request: dict[str, Any]) -> bytes:
        assert request["operation"] == "download"
        self.asked.append([one["oid"] for one in request["objects"]])
        found: list[dict[str, Any]] = []
        for one in request["objects"]:
            if one["oid"] in self.contents:
                download = {"href": self.href(one["oid"]), "header": dict(self.headers)}
                found.append({**one, "actions": {"download": download}})
            else:
                found.append({**one, "error": {"code": 404, "message": "Object does not exist"}})
        return json.dumps({"transfer": "basic", "objects": found}).encode()
