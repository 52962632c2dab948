"""Addresses of stores: of which kind one is, where it leads, and what of it may be shown."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from flowsource.errors import InvalidSettings

SQLITE = "sqlite:///"
Kind = Literal["sqlite", "postgresql"]
_KINDS: dict[str, Kind] = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
_SECRET_WORDS = frozenset({"password", "sslpassword", "passfile", "user", "sslkey"})


def kind_of(address: str) -> Kind:
    """Of which kind the store at `address` is; raises InvalidSettings for what is no address of a store."""
    scheme, colon, _ = address.partition("://")
    if not colon or scheme not in _KINDS:
        # Only its kind: the rest of an address may hold a password.
        raise InvalidSettings(
            f"{address.split(':', 1)[0]!r} is not a store. Give {SQLITE}PATH or postgresql://HOST/DATABASE."
        )
    return _KINDS[scheme]


def check_address(address: str) -> None:
    """Raise InvalidSettings for what is no address of a store; nothing is opened."""
    if kind_of(address) == "sqlite":
        store_file(address)
    else:
        postgres_address(address)


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
    if rest.partition("/")[0].count("@") > 1:
        # The library takes what follows the first for the host, and tells it in errors.
        raise InvalidSettings("an @ in the user or the password of a postgresql:// address is written %40.")
    return f"postgresql://{rest}"


def shown(address: str) -> str:
    """`address` without user, password and keys, as it may be told to anybody.

    >>> shown("postgresql://anna:hunter2@db.example.org/flows?sslmode=require&password=hunter2")
    'postgresql://db.example.org/flows?sslmode=require'
    """
    if kind_of(address) == "sqlite":
        return f"{SQLITE}{store_file(address)}"
    _, host, path, query, _ = urlsplit(postgres_address(address))
    kept = [(name, value) for name, value in parse_qsl(query) if name not in _SECRET_WORDS]
    return f"postgresql://{host.rpartition('@')[2]}{path}{'?' if kept else ''}{urlencode(kept, safe='/,')}"


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
    return state / "runners" / hashlib.sha256(shown(address).encode()).hexdigest()[:16]
