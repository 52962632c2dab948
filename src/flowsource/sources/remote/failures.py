"""What went wrong at a store, in our words: no text of a library is passed on, since it may hold a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flowsource.errors import AuthenticationFailed, SourceError, SourceInvalid, SourceMissing, SourceUnavailable
from flowsource.sources.git.wire.ratelimits import retry_after

_EXTRAS: Final = {"s3": "s3", "gs": "gs", "abfs": "abfs", "sftp": "sftp", "http": "http", "https": "http"}

_NO_ACCESS: Final = frozenset(
    {
        "AccessDenied",
        "ClientAuthenticationError",
        "CredentialRetrievalError",
        "DefaultCredentialsError",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "PermissionError",
        "ProfileNotFound",
        "RefreshError",
        "SignatureDoesNotMatch",
        "AuthenticationException",
        "BadHostKeyException",
        "TokenRetrievalError",
    }
)
_MISSING: Final = frozenset(
    {"NoSuchBucket", "NoSuchKey", "FileNotFoundError", "NotADirectoryError", "ResourceNotFoundError"}
)
_THROTTLED: Final = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "ServerBusy"}
)
_CHANGED: Final = frozenset(
    {"ClientPayloadError", "FileNotFoundError", "IncompleteRead", "NoSuchKey", "NoSuchVersion", "PreconditionFailed"}
)
_UNREACHABLE: Final = frozenset(
    {"ConnectionError", "gaierror", "ClientConnectionError", "ServiceRequestError", "HTTPClientError", "SSHException"}
)


def as_source_error(error: BaseException, *, where: str) -> SourceError:
    """What `error`, raised by a file system, means for the source at `where`."""
    if isinstance(error, SourceError):
        return error
    names, status = _names(error), _status(error)
    code = _code(error)
    if names & _THROTTLED or status in (429, 503):
        return SourceUnavailable(
            f"{where} asks for fewer requests ({code}). It is tried again later; a longer pull_interval helps.",
            retry_after=retry_after(_headers(error).get("Retry-After"), now=datetime.now(UTC)),
        )
    if names & _NO_ACCESS or status in (401, 403):
        return AuthenticationFailed(
            f"{where} refused access ({code}). Check the credentials in the settings or the environment, and that they "
            "may list and read there."
        )
    if names & _MISSING or status == 404:
        return SourceMissing(f"{where} is not there ({code}). Correct the address, or make the bucket.")
    if names & _UNREACHABLE:
        return SourceUnavailable(f"{where} cannot be reached ({code}). Check the endpoint and the network.")
    if "TimeoutError" in names:
        return SourceUnavailable(f"{where} did not answer in time ({code}).")
    return SourceUnavailable(f"{where} failed to answer ({code}).")


def cannot_open(error: Exception, *, where: str, protocol: str) -> SourceError:
    """What it means that the file system itself could not be had."""
    if isinstance(error, ImportError):
        extra = _EXTRAS.get(protocol)
        how = f"pip install 'flowsource[{extra}]'" if extra else f"install what fsspec needs for {protocol}://"
        return SourceInvalid(f"{where} needs a package that is not installed: {how}.")
    if isinstance(error, TypeError | ValueError | KeyError):
        return SourceInvalid(
            f"settings: those given for {where} are not taken ({type(error).__name__}); compare them with what fsspec "
            f"documents for {protocol}://."
        )
    return as_source_error(error, where=where)


def is_change(error: BaseException) -> bool:
    """Whether `error` says that an object is not, or no longer, what the listing told of it, or came in part only."""
    return bool(_names(error) & _CHANGED) or _status(error) in (404, 412)


def _code(error: BaseException) -> str:
    """Such as `SlowDown, HTTP 503`, made of names and numbers alone."""
    code = _response_code(error)
    name = code if code and code.isalnum() and len(code) < 60 else type(error).__name__
    status = _status(error)
    return f"{name}, HTTP {status}" if status else name


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _names(error: BaseException) -> set[str]:
    kinds = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    return kinds | {code for code in (_response_code(error),) if code}


def _response(error: BaseException) -> Mapping[str, Any]:
    """The answer of S3 that an error of botocore carries."""
    found = (getattr(one, "response", None) for one in _chain(error))
    return next((answer for answer in found if isinstance(answer, Mapping)), {})


def _response_code(error: BaseException) -> str | None:
    code = _response(error).get("Error", {}).get("Code")
    return str(code) if code else None


def _status(error: BaseException) -> int | None:
    told = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    candidates = [told]
    for one in _chain(error):
        candidates += [getattr(one, name, None) for name in ("status", "status_code", "code")]
    for candidate in candidates:
        if isinstance(candidate, int | str) and str(candidate).isdecimal() and 400 <= int(candidate) < 600:
            return int(candidate)
    return None


def _headers(error: BaseException) -> Mapping[str, str]:
    headers = _response(error).get("ResponseMetadata", {}).get("HTTPHeaders")
    if not headers:
        headers = next((found for one in _chain(error) if (found := getattr(one, "headers", None))), {})
    # Some libraries give them in small letters.
    return {name.title(): value for name, value in dict(headers).items()}
