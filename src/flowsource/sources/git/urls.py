"""Addresses of Git repositories, parsed and never guessed."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from flowsource.errors import InvalidInput
from flowsource.sources.paths import expanded

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REMOTE_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
# A host of one letter would be a drive of Windows.
_SCP_LIKE = re.compile(
    r"(?:(?P<user>[^/:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:\s\[\]]{2,}):(?P<path>(?!//).*)", re.DOTALL
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# What ssh may be told to log in as: a percent sign, for one, would mean something in its configuration.
_SSH_USER = re.compile(r"[A-Za-z0-9_.+~][A-Za-z0-9_.+~@-]*")
_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22}
# Their paths below `/` and below the home directory are the same, so both ways of writing an address are one.
_ROOTED_FORGES = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "ssh.dev.azure.com"})


@dataclass(frozen=True, slots=True)
class UserInfo:
    """The part of a URL before the `@`; it may be a secret, so it shows in no `repr`."""

    user: str
    password: str | None

    def __repr__(self) -> str:
        return "UserInfo(***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a repository is. `url` is canonical and holds no credentials; `path` is set for one on this machine.

    `port` is set when it is not the usual one. For ssh, `user` is whom to log in as, and `remote_path` is what the
    server is asked for.
    """

    url: str
    scheme: str
    host: str = ""
    path: Path | None = None
    port: int | None = None
    user: str | None = None
    remote_path: str = ""

    @property
    def is_local(self) -> bool:
        """Whether asking it costs nobody else anything: a directory, or a server on this machine."""
        return self.path is not None or _is_loopback(self.host)

    @property
    def authority(self) -> str:
        """Host and port of a server, also where the port goes without saying."""
        return f"{_bracketed(self.host)}:{self.port or _DEFAULT_PORTS[self.scheme]}"

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
        try:
            path = Path(unquote(urlsplit(text).path))
        except ValueError:
            return False
    elif _SCHEME.match(text):
        return False
    elif _SCP_LIKE.match(text):
        return True
    else:
        path = expanded(text)
    return path.name.endswith(".git") or _is_bare_repository(path)


def parse_url(text: str) -> tuple[Address, UserInfo | None]:
    """The address that `text` names, and the credentials that were in it.

    Raises InvalidInput for what is not the address of a repository.
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
    if match := _SCP_LIKE.fullmatch(text):
        return _parse_scp_like(match), None
    return _local(expanded(text)), None


def is_ssh_user(name: str) -> bool:
    """Whether ssh can be told to log in as `name`, without its taking any of it for something else."""
    return _SSH_USER.fullmatch(name) is not None


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
    if scheme in ("https", "http"):
        return _parse_http(scheme, text)
    if scheme in ("ssh", "git+ssh", "ssh+git"):
        return _parse_ssh(text), None
    if scheme == "file":
        return _parse_file(text), None
    raise InvalidInput(
        f"url: {redacted(text)!r} has the scheme {scheme!r}, which no Git source serves; "
        "give an https, ssh or file URL."
    )


def _parse_http(scheme: str, text: str) -> tuple[Address, UserInfo | None]:
    parts, port = _split(text)
    host = _checked_host(parts, text)
    path = parts.path.rstrip("/")
    if not path:
        raise InvalidInput(f"url: {redacted(text)!r} names a host but no repository; give one such as {_EXAMPLE}.")
    if unquote(path).startswith("/-"):
        raise _dash("path", text)
    userinfo = None
    if parts.username is not None:
        password = unquote(parts.password) if parts.password is not None else None
        userinfo = UserInfo(unquote(parts.username), password)
    url = f"{scheme}://{_authority(host, port)}{path}"
    return Address(url=url, scheme=scheme, host=host, port=port), userinfo


def _parse_ssh(text: str) -> Address:
    parts, port = _split(text)
    host = _checked_host(parts, text)
    if parts.password is not None:
        raise InvalidInput(
            f"url: {redacted(text)!r} holds a password, which is not used over SSH; take it out, and give "
            "credentials=GitCredentials(ssh_key_file=...) or use an agent."
        )
    path = unquote(parts.path, errors="surrogateescape")
    # As Git has it, `/~` is how a path that does not begin at the root is written in a URL.
    return _ssh(text, unquote(parts.username or ""), host, port, path[1:] if path.startswith("/~") else path)


def _parse_scp_like(match: re.Match[str]) -> Address:
    text = match.string
    user, host, path = match["user"] or "", match["host"], match["path"]
    if "@" in path:
        # Or `ada:secret@host/path`, an https URL without its beginning, would be a path on a host named ada.
        raise InvalidInput(
            f"url: {redacted(text)!r} is not an address; write it as {_EXAMPLE}, or as ssh://git@host/org/repo.git."
        )
    if "?" in path or "#" in path:
        raise _goes_on(text)
    if "@" in user or host.startswith("-"):
        raise InvalidInput(f"url: {redacted(text)!r} has no valid user and host; write it as git@host:org/repo.git.")
    return _ssh(text, user, _checked_name(host.strip("[]").lower(), text), None, path)


def _ssh(text: str, user: str, host: str, port: int | None, path: str) -> Address:
    """The address of what `git-upload-pack` is to be asked for, whichever way it was written."""
    if host in _ROOTED_FORGES and not path.startswith(("/", "~")):
        path = f"/{path}"
    path = path.rstrip("/")
    if path in ("", "~"):
        raise InvalidInput(f"url: {redacted(text)!r} names a host but no repository; write git@host:org/repo.git.")
    if path.removeprefix("/").startswith("-"):
        raise _dash("path", text)
    if user and not is_ssh_user(user):
        raise InvalidInput(f"url: the user of {redacted(text)!r} is none that ssh can be told; correct it.")
    prefix = f"{user.replace('@', '%40')}@" if user else ""
    if path.startswith(("/", "~")):
        rooted = path if path.startswith("/") else f"/{path}"
        quoted = quote(os.fsencode(rooted), safe="/~")
        url = f"ssh://{prefix}{_authority(host, port)}{quoted}"
    else:
        # Relative to the home directory of whoever it is: no URL says that in a way all servers understand.
        url = f"{prefix}{_bracketed(host)}:{path}"
    return Address(url=url, scheme="ssh", host=host, user=user or None, port=port, remote_path=path)


def _split(text: str) -> tuple[SplitResult, int | None]:
    """The parts of a URL, and its port if that is not the usual one."""
    try:
        parts = urlsplit(text)
        if (port := parts.port) == 0:
            raise ValueError
    except ValueError:
        # Its text quotes the URL, which may hold a password.
        raise InvalidInput(f"url: {redacted(text)!r} has a host or port that cannot be read; correct it.") from None
    if parts.query or parts.fragment:
        raise _goes_on(text)
    if "@" in parts.path:
        # Most likely a password that holds a slash: all of it would be taken for a host and a path, and be shown.
        raise InvalidInput(
            f"url: {redacted(text)!r} has an '@' after a '/'; write '/' as %2F in a password, and '@' as %40 in a path."
        )
    usual = _DEFAULT_PORTS.get(parts.scheme, _DEFAULT_PORTS["ssh"])
    return parts, None if port == usual else port


def _authority(host: str, port: int | None) -> str:
    return _bracketed(host) if port is None else f"{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _goes_on(text: str) -> InvalidInput:
    return InvalidInput(f"url: {redacted(text)!r} goes on after the path; leave out what follows '?' or '#'.")


def _dash(part: str, text: str) -> InvalidInput:
    return InvalidInput(f"url: the {part} of {redacted(text)!r} begins with a dash; correct it.")


def _checked_host(parts: SplitResult, text: str) -> str:
    host = (parts.hostname or "").lower()
    if not host:
        raise InvalidInput(f"url: {redacted(text)!r} names no host; give an address such as {_EXAMPLE}.")
    if (parts.username or "").startswith("-"):
        raise _dash("user", text)
    return _checked_name(host, text)


def _checked_name(host: str, text: str) -> str:
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
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidInput(f"url: {redacted(text)!r} is not a file URL; write it as file:///path/repo.git.") from None
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


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_bare_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
