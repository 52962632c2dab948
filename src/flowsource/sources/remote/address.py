"""Addresses of places that fsspec reaches: one protocol, one place, and no secret in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flowsource.errors import InvalidInput
from flowsource.sources.git.urls import redacted

_CHAIN: Final = re.compile(r".*::.*://")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*)://")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EXAMPLE: Final = "s3://bucket/prefix"

_ONE_NAME: Final = {"s3a": "s3", "gcs": "gs", "az": "abfs", "abfss": "abfs", "ssh": "sftp"}
# Of their addresses the first part is a host, a bucket or a container; of others it may be empty.
_HAVE_HOSTS: Final = frozenset({"s3", "gs", "abfs", "sftp", "http", "https"})

_ARCHIVE: Final = "is an archive; unpack it, and give the directory or prefix that its files are in"
_CACHE: Final = "keeps copies of its own, which may be old; give the address behind it"
_STANDS_FOR: Final = "only stands for another address; give that one"
_DIRECTORY: Final = "is a directory of this machine; give its path, or LocalStorage(path)"
_GIT: Final = "is a Git repository; give its https:// URL, or GitRepository(url)"
_REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("zip", "tar", "libarchive"), _ARCHIVE),
    **dict.fromkeys(("simplecache", "filecache", "blockcache", "cached"), _CACHE),
    **dict.fromkeys(("reference", "dir", "generic", "async_wrapper", "asyncwrapper", "dask"), _STANDS_FOR),
    **dict.fromkeys(("file", "local", "asynclocal"), _DIRECTORY),
    **dict.fromkeys(("git", "github"), _GIT),
    "data": "is no place, but the content itself; put it into a file",
}


@dataclass(frozen=True, slots=True)
class Address:
    """A place. `url` is canonical: one name of the protocol, no slash at the end. It holds no secret."""

    protocol: str
    url: str

    @property
    def place(self) -> str:
        """What follows the protocol."""
        return self.url.partition("://")[2]


def is_chain(text: str) -> bool:
    """Whether `text` is an address inside another, as in `zip::s3://bucket/code.zip`."""
    return _CHAIN.match(text) is not None


def parse(text: str) -> Address:
    """The address that `text` names; raises InvalidInput for what cannot be a source, and for one with a password."""
    if not isinstance(text, str) or not text:
        raise InvalidInput(f"url: {type(text).__name__} {text!r} is not an address; give text such as {_EXAMPLE}.")
    told = redacted(text)
    if _CONTROL.search(text):
        raise InvalidInput(f"url: {told!r} holds control characters; give an address such as {_EXAMPLE}.")
    if is_chain(text):
        raise InvalidInput(f"url: {told!r} is an address inside another; give one place, such as {_EXAMPLE}.")
    match = _SCHEME.match(text)
    if match is None:
        raise InvalidInput(f"url: {told!r} names no protocol; give an address such as {_EXAMPLE}.")
    protocol = match[1].lower()
    protocol = _ONE_NAME.get(protocol, protocol)
    _check_protocol(protocol, told)
    if "?" in text or "#" in text:
        raise InvalidInput(f"url: {told!r} goes on after the path; leave out what follows '?' or '#'.")
    place = text[match.end() :].rstrip("/")
    _check_place(protocol, place, told)
    return Address(protocol, f"{protocol}://{place}")


def _check_protocol(protocol: str, told: str) -> None:
    import fsspec

    if protocol in _REFUSED:
        raise InvalidInput(f"url: {told!r} {_REFUSED[protocol]}.")
    if protocol not in fsspec.available_protocols() and protocol not in fsspec.registry:
        raise InvalidInput(
            f"url: {protocol}:// is not a kind of source; give a directory, the URL of a Git repository (https://, "
            f"file:// or a path that ends in .git), or an address that fsspec knows, such as {_EXAMPLE}."
        )


def _check_place(protocol: str, place: str, told: str) -> None:
    try:
        user, has_user, _ = urlsplit(f"//{place}").netloc.rpartition("@")
    except ValueError:
        # Its text quotes the address, which may hold a password.
        raise InvalidInput(f"url: {told!r} has a host that cannot be read; correct it.") from None
    # Of an Azure address what stands there is the container, of an SFTP address the user; neither is a secret.
    if has_user and (":" in user or protocol in ("http", "https")):
        raise InvalidInput(f"url: {told!r} carries credentials, which show wherever it does; give them as settings.")
    authority, *inside = place.split("/")
    if not authority and (protocol in _HAVE_HOSTS or not any(inside)):
        raise InvalidInput(f"url: {told!r} names no place; give an address such as {_EXAMPLE}.")
    if any(part in ("", ".", "..") for part in (inside if authority else inside[1:])):
        raise InvalidInput(f"url: {told!r} has an empty name, '.' or '..' in its path; write it without.")
