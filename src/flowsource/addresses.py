"""Addresses of stores: which kind each is, and how one is told without what is secret in it."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from flowsource.errors import InvalidSettings

SQLITE = "sqlite:///"
Kind = Literal["sqlite", "server"]


def kind_of(address: str) -> Kind:
    """Which kind of store is at `address`; raises InvalidSettings for what is no address of one."""
    if address.startswith(SQLITE) and address != SQLITE:
        return "sqlite"
    if address.startswith(("https://", "http://")):
        return "server"
    # Only its kind: the rest of an address may hold a password.
    raise InvalidSettings(
        f"{address.split(':', 1)[0]!r} is not a store. Give {SQLITE}PATH, or https://SERVER for that of a server."
    )


def server_url(address: str, *, allow_http: bool = False) -> str:
    """The URL of a server, without a slash at its end; raises InvalidSettings for one that must not be used.

    Plain HTTP is for this machine alone, unless it is allowed: whoever reads along has the token.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidSettings("the address of the server is malformed. Give https://SERVER.") from None
    if not host:
        raise InvalidSettings("the address of the server names no host. Give https://SERVER.")
    if parts.username is not None or parts.password is not None:
        raise InvalidSettings(
            f"the address of the server {host} has a name or a password in it. Leave them out: the token of a server "
            "is given in FLOWSOURCE_TOKEN or FLOWSOURCE_TOKEN_FILE."
        )
    if parts.query or parts.fragment:
        raise InvalidSettings(f"the address of the server {host} has more than a path. Give https://SERVER.")
    if parts.scheme == "http" and not (allow_http or is_loopback(host)):
        raise InvalidSettings(
            f"the server {host} is reached over plain http, where others can read the token. Give https://, or set "
            "FLOWSOURCE_ALLOW_HTTP=1 where the way there is private."
        )
    return address.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine and cannot be reached from others."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def short_name(address: str) -> str:
    """A name for what is kept on this machine about the store of a server: the same for the same address."""
    return sha256(address.rstrip("/").encode()).hexdigest()[:16]
