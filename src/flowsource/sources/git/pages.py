"""Pages of GitHub and GitLab that show a repository, as people copy them from the address bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from flowsource.errors import InvalidInput
from flowsource.sources.git.refs import is_object_id
from flowsource.sources.git.urls import Address

_TREE: Final = "tree"


def repository_of(address: Address, given: Mapping[str, str | None]) -> tuple[Address, dict[str, str | None]]:
    """The repository that the page at `address` belongs to, and what is to be followed of it.

    `given` has what a person selected, by the names that `select` has for it. Where nothing was, the page of a branch
    or commit says it. Any address on another host is a repository as it is: hosts are told by their whole name.

    Raises InvalidInput for a page that contradicts what was given, or is not that of a branch.
    """
    repository, page = _split_page(address)
    if not page:
        return repository, dict(given)
    kind, *rest = page
    name = unquote("/".join(rest))
    if kind != _TREE or not name:
        raise _not_a_branch(address, repository, kind, name)
    chosen = [value for value in given.values() if value is not None]
    if name in chosen:
        return repository, dict(given)
    if chosen:
        raise InvalidInput(
            f"url: {address.url} is the page of {name!r}, but {chosen[0]!r} is to be followed; "
            f"write url={repository.url!r} if that is meant."
        )
    if len(rest) > 1:
        # Nobody can tell the branch `a/b` from the directory `b` of the branch `a`.
        raise InvalidInput(
            f"url: {address.url} may be the page of a branch {name!r} or of a directory in {unquote(rest[0])!r}; "
            f"write url={repository.url!r} and branch=..."
        )
    return repository, {**given, "commit_sha" if is_object_id(name) else "branch": name}


def _split_page(address: Address) -> tuple[Address, list[str]]:
    """The repository, and the rest of the path behind it."""
    if address.scheme != "https" or address.host not in ("github.com", "gitlab.com"):
        return address, []
    root, _, path = address.url.removeprefix("https://").partition("/")
    if address.host == "gitlab.com":
        # Groups may lie within groups, so a mark tells where the repository ends.
        path, _, rest = path.partition("/-/")
        parts, page = path.split("/"), rest.split("/") if rest else []
    else:
        parts, page = path.split("/")[:2], path.split("/")[2:]
    if len(parts) < 2 or not all(parts):
        raise InvalidInput(
            f"url: {address.url} names no repository of {address.host}; write https://{address.host}/org/repo."
        )
    return replace(address, url=f"https://{root}/{'/'.join(parts)}"), page


def _not_a_branch(address: Address, repository: Address, kind: str, name: str) -> InvalidInput:
    instead = ""
    match kind, name.split("/"):
        case "blob" | "raw" | "blame", [_, _, *_]:
            instead = " and branch=..., and the file in the entrypoint"
        case "commit" | "commits", [commit] if is_object_id(commit):
            instead = f" and commit_sha={commit!r}"
        case "pull", [number, *_] if number.isdigit():
            instead = f" and ref='refs/pull/{number}/head'"
        case "merge_requests", [number, *_] if number.isdigit():
            instead = f" and ref='refs/merge-requests/{number}/head'"
        case ("releases", ["tag", tag]) | ("tags", [tag]):
            instead = f" and tag={tag!r}"
    return InvalidInput(
        f"url: {address.url} is a page ({kind}) of the repository; write url={repository.url!r}{instead}."
    )
