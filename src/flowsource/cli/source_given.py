"""A source as a person gives it in words: a place, with what of a Git repository is meant."""

from __future__ import annotations

from flowsource.errors import InvalidInput
from flowsource.sources import Source, source_from


def source_given(
    place: str,
    *,
    branch: str | None = None,
    tag: str | None = None,
    ref: str | None = None,
    commit: str | None = None,
    token_env: str | None = None,
) -> Source:
    """The source at `place`: a directory, the URL of a Git repository, or an address such as s3://bucket/prefix.

    The rest goes with Git repositories alone: what of it to look at, and the environment variable that holds the access
    token. Raises InvalidInput, or SourceInvalid for an address that cannot be used.
    """
    found = source_from(place)
    if all(given is None for given in (branch, tag, ref, commit, token_env)):
        return found
    from flowsource.sources.git.credentials import GitCredentials
    from flowsource.sources.git.repository import GitRepository
    from flowsource.sources.remote.storage import RemoteStorage

    if isinstance(found, RemoteStorage):
        raise InvalidInput(
            f"a branch, a tag, a ref, a commit or a token goes with a Git repository, and {found.label} is none; "
            "leave it out."
        )
    credentials = GitCredentials(access_token_env=token_env) if token_env is not None else None
    return GitRepository(place, credentials=credentials, branch=branch, tag=tag, ref=ref, commit_sha=commit)
