"""Where a commit can be looked at: on the web page of its forge, if its remote is known to have one."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from flowsource.revisions import Revision

# After the path of the repository, by host; others are not guessed at.
_COMMIT = {
    "github.com": "/commit/",
    "gitlab.com": "/-/commit/",
    "codeberg.org": "/commit/",
    "bitbucket.org": "/commits/",
}
_COMPARE = {
    "github.com": "/compare/{}...{}",
    "gitlab.com": "/-/compare/{}...{}",
    "codeberg.org": "/compare/{}...{}",
    "bitbucket.org": "/branches/compare/{1}..{0}",
}


def commit_link(address: str | None, commit: str | None) -> str | None:
    """The page of `commit` in the repository at `address`; None where there is none that is known.

    >>> commit_link("https://github.com/acme/flows.git", "3f2a91c")
    'https://github.com/acme/flows/commit/3f2a91c'
    """
    found = _page_of(address)
    return f"{found[0]}{_COMMIT[found[1]]}{quote(commit)}" if found is not None and commit else None


def diff_link(address: str | None, before: Revision | None, after: Revision | None) -> str | None:
    """The page with what differs between two revisions of the repository at `address`, in the same way."""
    found = _page_of(address)
    if found is None or before is None or after is None:
        return None
    ids = [quote(one.commit or one.id) for one in (before, after)]
    return f"{found[0]}{_COMPARE[found[1]].format(*ids)}"


def _page_of(address: str | None) -> tuple[str, str] | None:
    """The page of the repository at `address`, and the host that it is on."""
    try:
        parts = urlsplit(address or "")
        host = parts.hostname or ""
    except ValueError:
        return None
    if host not in _COMMIT or parts.scheme not in ("https", "ssh"):
        return None
    return f"https://{host}{quote(parts.path.removesuffix('.git'))}", host


def deployment_path(full_name: str) -> str:
    """The path of the page of a deployment, below the prefix of the server."""
    return f"/deployments/{quoted(full_name)}"


def quoted(full_name: str) -> str:
    """`flow/deployment` as it stands in a path."""
    flow, _, name = full_name.partition("/")
    return f"{quote(flow, safe='')}/{quote(name, safe='')}"
