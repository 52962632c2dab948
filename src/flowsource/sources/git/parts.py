"""What it means for a revision that something which belongs to it is not to be had."""

from __future__ import annotations

from flowsource.errors import AuthenticationFailed, SourceError, SourceInvalid, SourceUnavailable, UnsafeTree


def of_part(what: str, error: SourceError, *, otherwise: str = "") -> SourceError:
    """`error` as one of the revision that `what` is a part of; `otherwise` is what else a person can do about it."""
    told = f"{what}: {error}"
    if isinstance(error, SourceUnavailable):
        return SourceUnavailable(told, retry_after=error.retry_after)
    # Also where the commit of the part is gone: the revision itself is not.
    kind = next((kind for kind in (AuthenticationFailed, UnsafeTree) if isinstance(error, kind)), SourceInvalid)
    return kind(f"{told} {otherwise}".rstrip())
