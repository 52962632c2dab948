"""Which repositories the body of a webhook names, so that hints go to sources that are known anyway."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

# Where GitHub, GitLab, Gitea, Forgejo and Bitbucket, and who does as they do, say which repository it is about.
_FIELDS = ("repository", "project")
_DEEPEST, _MOST = 4, 64
_SCP_LIKE = re.compile(r"(?:[^/@:\s]+@)?([^/@:\s]+):(?!//)(.+)")


def places_named(body: bytes) -> frozenset[str]:
    """The places (see `place_of`) of the repositories that `body` is about; none when it cannot be understood."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return frozenset()
    if not isinstance(value, dict):
        return frozenset()
    texts = [text for field in _FIELDS for text in _texts(value.get(field), _DEEPEST)]
    return frozenset(place for text in texts[:_MOST] if (place := place_of(text)))


def place_of(address: str) -> str:
    """Host and path of a repository, the same for all the ways to reach it; "" for what is no address.

    >>> place_of("https://ada@Example.org/org/repo.git"), place_of("git@example.org:org/repo"), place_of("a word")
    ('example.org/org/repo', 'example.org/org/repo', '')
    """
    try:
        parts = urlsplit(address)
        host, path = parts.hostname or "", unquote(parts.path)
    except ValueError:
        return ""
    if not host and "://" not in address and (match := _SCP_LIKE.fullmatch(address)):
        host, path = match[1].lower(), match[2]
    # Letters of either case are one: some hosts take them so, and at worst somebody is asked for nothing.
    path = path.strip("/").removesuffix(".git").casefold()
    return f"{host}/{path}" if host and path else ""


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for inner in list(value.values() if isinstance(value, dict) else value)[:_MOST]:
            yield from _texts(inner, depth - 1)
