"""Addresses of stores: of which kind one is, where it leads, and what of it may be shown."""

from __future__ import annotations

import hashlib
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from flowsource.errors import InvalidSettings

SQLITE = "sqlite:///"
Kind = Literal["sqlite", "postgresql", "server"]
_KINDS: dict[str, Kind] = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "https": "server",
    "http": "server",
}
_SAID_ELSEWHERE = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE", "PGSERVICEFILE")
_SECRET_WORDS = frozenset(
    {
        "password",
        "sslpassword",
        "passfile",
        "user",
        "sslkey",
        "oauth_client_secret",
        "scram_client_key",
        "scram_server_key",
    }
)


def kind_of(address: str) -> Kind:
    """Of which kind the store at `address` is; raises InvalidSettings for what is no address of a store."""
    scheme, colon, _ = address.partition("://")
    if not colon or scheme not in _KINDS:
        # Only its kind: the rest of an address may hold a password.
        raise InvalidSettings(
            f"{address.split(':', 1)[0]!r} is not a store. Give {SQLITE}PATH, postgresql://HOST/DATABASE, or "
            "https://SERVER for the store of a server."
        )
    return _KINDS[scheme]


def check_address(address: str, *, allow_http: bool = False) -> None:
    """Raise InvalidSettings for what is no address of a store, or one that must not be used; nothing is opened."""
    match kind_of(address):
        case "sqlite":
            store_file(address)
        case "postgresql":
            postgres_address(address)
        case "server":
            server_url(address, allow_http=allow_http)


def store_file(address: str) -> Path:
    """The file that the store at `address` is in; raises InvalidSettings for what is no address of a file.

    `sqlite:///PATH` is a SQLite file, relative to the working directory unless PATH begins with a slash or with `~`.
    Links are followed, so that one file has one path, however it is spelled.
    """
    given = address.removeprefix(SQLITE)
    if given == address or not given:
        raise InvalidSettings(f"{address.split(':', 1)[0]!r} is not a store. Give {SQLITE}PATH.")
    try:
        path = Path(os.path.realpath(Path(given).expanduser()))
    except RuntimeError:
        raise InvalidSettings(f"{given!r} is in the home of a user who is not known here.") from None
    if os.path.isdir(path):
        raise InvalidSettings(f"{given!r} is a directory. Give {SQLITE}PATH with the name of a file.")
    return path


def postgres_address(address: str) -> str:
    """`address` as PostgreSQL's own library takes it; raises InvalidSettings where that would misread it.

    Everything is as it is there: several hosts, what follows the question mark, and what PGHOST, PGPASSWORD,
    PGPASSFILE, PGSERVICE and the like say of what is left out.
    """
    rest = address.partition("://")[2]
    authority, _, behind = rest.partition("/")
    # The library takes what follows the first @ or / for the host or the database, and tells it in errors.
    if authority.count("@") > 1:
        raise InvalidSettings("an @ in the user or the password of a postgresql:// address is written %40.")
    is_cut_in_user = "?" in authority and "@" not in authority
    if "@" in (behind if is_cut_in_user else behind.partition("?")[0]):
        raise InvalidSettings(
            "a / in the user or the password of a postgresql:// address is written %2F, and an @ in its path %40."
        )
    return f"postgresql://{rest}"


def shown(address: str) -> str:
    """`address` without user, password and keys, as it may be told to anybody.

    >>> shown("postgresql://anna:hunter2@db.example.org/flows?sslmode=require&password=hunter2")
    'postgresql://db.example.org/flows?sslmode=require'
    """
    if kind_of(address) == "sqlite":
        return f"{SQLITE}{store_file(address)}"
    if kind_of(address) == "server":
        return server_url(address, allow_http=True)
    authority, slash, behind = postgres_address(address).removeprefix("postgresql://").partition("/")
    # As PostgreSQL's library reads it, and no other URL: before the @ a question mark or a # is a letter like others.
    place, _, query = f"{authority.rpartition('@')[2]}{slash}{behind}".partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name.lower() not in _SECRET_WORDS]
    return f"postgresql://{place}{'?' if kept else ''}{urlencode(kept, safe='/,')}"


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


def secret_variables(address: str) -> frozenset[str]:
    """The variables of the environment by which a process could come into the store at `address` as we do."""
    return frozenset({"FLOWSOURCE_STORE", "PGPASSWORD"} if kind_of(address) == "postgresql" else ())


def signs_of(address: str, state: Path) -> Path:
    """The directory in which the servers of the store at `address` on this host show that they live.

    It is beside the file of a store that is one, else in `state`.
    """
    if kind_of(address) == "sqlite":
        file = store_file(address)
        return file.with_name(f"{file.name}.runners")
    return state / "runners" / short_name(address)


def short_name(address: str) -> str:
    """A name for what is kept on this machine about the store at `address`, beside what is kept about others."""
    named = [shown(address)]
    if kind_of(address) == "postgresql":
        # What an address leaves out PostgreSQL's library has from these.
        named += [f"{name}={os.environ[name]}" for name in _SAID_ELSEWHERE if name in os.environ]
    return hashlib.sha256("\0".join(named).encode()).hexdigest()[:16]
