"""Where flow code comes from."""

from __future__ import annotations

from pathlib import Path

from flowsource.errors import InvalidInput
from flowsource.sources.base import Source

__all__ = ["Source", "source_from"]


def source_from(value: str | Path | Source) -> Source:
    """The source that a person meant: one as it is, a directory, the URL of a Git repository, or of a place that
    fsspec reaches, such as `s3://bucket/prefix`.

    Raises InvalidInput for anything else, SourceInvalid for an address that cannot be used.
    """
    if isinstance(value, Path):
        from flowsource.sources.local import LocalStorage

        return LocalStorage(value)
    if isinstance(value, str):
        from flowsource.sources.git.urls import is_git_url
        from flowsource.sources.remote.address import is_chain

        if is_git_url(value) and not is_chain(value):
            from flowsource.sources.git.repository import GitRepository

            return GitRepository(value)
        if "://" in value:
            from flowsource.sources.remote.storage import RemoteStorage

            return RemoteStorage(value)
        from flowsource.sources.local import LocalStorage

        return LocalStorage(value)
    if all(hasattr(value, name) for name in ("key", "resolve", "fetch")):
        return value
    raise InvalidInput(
        f"source: {type(value).__name__} is not a source; give a directory, a URL, or a source such as GitRepository."
    )
