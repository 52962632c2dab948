"""What pages are dressed with: files that never change under their address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from flowsource.errors import NotFound
from flowsource.server.access import Anybody
from flowsource.server.pages.packing import pack

router = APIRouter(include_in_schema=False)

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Assets:
    """The files by name. They name each other, so that all have one `digest` in their addresses."""

    contents: Mapping[str, bytes]
    digest: str


@cache
def assets() -> Assets:
    """All that there are."""
    found = {file.name: file.read_bytes() for file in files("flowsource.server.pages").joinpath("static").iterdir()}
    contents = {name: found[name] for name in sorted(found) if _ending(name) in _TYPES}
    whole = sha256()
    for name, content in contents.items():
        whole.update(f"{name} {len(content)} ".encode() + content)
    return Assets(contents, whole.hexdigest()[:12])


def path_of(name: str) -> str:
    """The path of an asset, below the prefix of the server."""
    assert name in assets().contents, name
    return f"/static/{assets().digest}/{name}"


@router.get("/static/{digest}/{name}", dependencies=[Depends(Anybody())])
async def show_asset(request: Request, digest: str, name: str) -> Response:
    """One of them, also for who is not in: he is told so in our colours."""
    content = assets().contents.get(name) if digest == assets().digest else None
    if content is None:
        raise NotFound("there is no such file here. Reload the page.")
    return pack(request, Response(content, media_type=_TYPES[_ending(name)], headers={"cache-control": _FOR_EVER}))


def _ending(name: str) -> str:
    return name.rpartition(".")[2]
