"""Where a commit can be looked at: on the web page of its forge, if its remote is known to have one."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

# After the path of the repository, by host; others are not guessed at.
_COMMIT = {
    "github.com": "/commit/",
    "gitlab.com": "/-/commit/",
    "codeberg.org": "/commit/",
    "bitbucket.org": "/commits/",
}


def commit_link(address: str | None, commit: str | None) -> str | None:
    """The page of `commit` in the repository at `address`; None where there is none that is known.

    >>> commit_link("https://github.com/acme/flows.git", "3f2a91c")
    'https://github.com/acme/flows/commit/3f2a91c'
    """
    if not address or not commit:
        return None
    parts = urlsplit(address)
    way = _COMMIT.get(parts.hostname or "")
    if way is None or parts.scheme not in ("https", "ssh"):
        return None
    return f"https://{parts.hostname}{quote(parts.path.removesuffix('.git'))}{way}{quote(commit)}"


def deployment_path(full_name: str) -> str:
    """The path of the page of a deployment, below the prefix of the server."""
    return f"/deployments/{quoted(full_name)}"


def quoted(full_name: str) -> str:
    """`flow/deployment` as it stands in a path."""
    flow, _, name = full_name.partition("/")
    return f"{quote(flow, safe='')}/{quote(name, safe='')}"
