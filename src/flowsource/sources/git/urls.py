"""Addresses of Git repositories, parsed and never guessed."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from flowsource.errors import InvalidInput, SourceInvalid

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REMOTE_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_SCP_LIKE = re.compile(r"(?:[^/:\s]+@)?[^/:\s]{2,}:(?!//)")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class UserInfo:
    """The part of a URL before the `@`; it may be a secret, so it shows in no `repr`."""

    user: str
    password: str | None

    def __repr__(self) -> str:
        return "UserInfo(***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a repository is. `url` is canonical and holds no credentials; `path` is set for one on this machine."""

    url: str
    scheme: str
    host: str = ""
    path: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether asking it costs nobody else anything: a directory, or a server on this machine."""
        return self.path is not None or _is_loopback(self.host)

    @property
    def authority(self) -> str:
        """Host and port of a server, also where the port goes without saying."""
        authority = urlsplit(self.url).netloc
        return authority if urlsplit(self.url).port is not None else f"{authority}:{_DEFAULT_PORTS[self.scheme]}"

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else self.url


def is_git_url(text: str) -> bool:
    """Whether `text` names a Git repository rather than a directory of files.

    True for http, https and ssh URLs, for `user@host:path` and `host:path`, and for a path or `file://` URL that ends
    in `.git` or is a bare repository. A working copy is a directory like any other.
    """
    if text.lower().startswith(("https://", "http://", "ssh://", "git+ssh://", "git://")):
        return True
    if text.lower().startswith("file://"):
        path = Path(unquote(urlsplit(text).path))
    elif _SCHEME.match(text):
        return False
    elif _SCP_LIKE.match(text):
        return True
    else:
        path = _expanded(text)
    return path.name.endswith(".git") or _is_bare_repository(path)


def parse_url(text: str) -> tuple[Address, UserInfo | None]:
    """The address that `text` names, and the credentials that were in it.

    Raises InvalidInput for what is not the address of a repository, SourceInvalid for SSH, which is not served.
    """
    if not isinstance(text, str) or not text:
        raise InvalidInput(f"url: {type(text).__name__} {text!r} is not an address; give text such as {_EXAMPLE}.")
    if _CONTROL.search(text) or _CONTROL.search(unquote(text)):
        raise InvalidInput(f"url: {redacted(text)!r} holds control characters; give an address such as {_EXAMPLE}.")
    if text.startswith("-"):
        raise InvalidInput(f"url: {redacted(text)!r} begins with a dash; give an address such as {_EXAMPLE}.")
    if _REMOTE_HELPER.match(text):
        raise InvalidInput(f"url: {redacted(text)!r} asks for a helper program; give an address such as {_EXAMPLE}.")
    if match := _SCHEME.match(text):
        return _parse_scheme(match[0].removesuffix("://").lower(), text)
    if _SCP_LIKE.match(text):
        raise _ssh_is_not_served(text)
    return _local(_expanded(text)), None


def redacted(text: str) -> str:
    """`text` fit for a message: without anything before its last `@`, and nothing from a `?` or `#` on.

    Either may be a secret, and a password may hold any letter.
    """
    scheme = match[0] if (match := _SCHEME.match(text)) else ""
    told, *more = re.split(r"[?#]", text, maxsplit=1)
    if more and "@" in more[0]:
        return f"{scheme}***"  # Nobody can tell a password that holds a `?` from what was asked for.
    _, at, rest = told.rpartition("@")
    return f"{scheme}***@{rest}" if at else told


_EXAMPLE = "https://host/org/repo.git"


def _parse_scheme(scheme: str, text: str) -> tuple[Address, UserInfo | None]:
    if scheme in _DEFAULT_PORTS:
        return _parse_http(scheme, text)
    if scheme in ("ssh", "git+ssh", "ssh+git"):
        raise _ssh_is_not_served(text)
    if scheme == "file":
        return _parse_file(text), None
    raise InvalidInput(
        f"url: {redacted(text)!r} has the scheme {scheme!r}, which no Git source serves; give an https or file URL."
    )


def _parse_http(scheme: str, text: str) -> tuple[Address, UserInfo | None]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # Its text quotes the URL, which may hold a password.
        raise InvalidInput(f"url: {redacted(text)!r} has a host or port that cannot be read; correct it.") from None
    if parts.query or parts.fragment:
        raise InvalidInput(f"url: {redacted(text)!r} goes on after the path; leave out what follows '?' or '#'.")
    host = _checked_host(parts, text)
    path = parts.path.rstrip("/")
    if not path:
        raise InvalidInput(f"url: {redacted(text)!r} names a host but no repository; give one such as {_EXAMPLE}.")
    if unquote(path).startswith("/-"):
        raise InvalidInput(f"url: the path of {redacted(text)!r} begins with a dash; correct it.")
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        authority = f"{authority}:{port}"
    userinfo = None
    if parts.username is not None:
        password = unquote(parts.password) if parts.password is not None else None
        userinfo = UserInfo(unquote(parts.username), password)
    return Address(url=f"{scheme}://{authority}{path}", scheme=scheme, host=host), userinfo


def _checked_host(parts: SplitResult, text: str) -> str:
    host = (parts.hostname or "").lower()
    if not host:
        raise InvalidInput(f"url: {redacted(text)!r} names no host; give an address such as {_EXAMPLE}.")
    if (parts.username or "").startswith("-"):
        raise InvalidInput(f"url: the user of {redacted(text)!r} begins with a dash; correct it.")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            host = ""
    if not _HOST.fullmatch(host):
        raise InvalidInput(
            f"url: {redacted(text)!r} has no valid host name; correct it, and write foreign letters as xn--..."
        )
    return host


def _parse_file(text: str) -> Address:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise InvalidInput(
            f"url: {redacted(text)!r} names a host; a file URL has three slashes: file:///path/repo.git."
        )
    if parts.query or parts.fragment or not parts.path:
        raise InvalidInput(f"url: {redacted(text)!r} is not a file URL; write it as file:///path/repo.git.")
    return _local(Path(unquote(parts.path)))


def _local(path: Path) -> Address:
    # Not resolved: a link that somebody moves to another repository is meant to be followed at each poll.
    absolute = Path(os.path.abspath(path))
    return Address(url=f"file://{quote(os.fsencode(absolute))}", scheme="file", path=absolute)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        # Such as `~nobody`; as in a shell, the text is then the name itself.
        return Path(text)


def _ssh_is_not_served(text: str) -> SourceInvalid:
    return SourceInvalid(f"url: SSH remotes are not served yet ({redacted(text)}); give an https URL.")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_bare_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
