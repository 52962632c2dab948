"""Where flowsource keeps its memory and its cache on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from flowsource.addresses import SQLITE, kind_of, server_url, short_name
from flowsource.errors import InvalidSettings
from flowsource.server_access import ServerAccess

# What a server says: for a person, or each line an object for a machine.
LOG_FORMATS = ("text", "json")
# How runs get their processes: forked from one that has imported what they need, or each a Python of its own.
START_METHODS = ("fork-server", "spawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """How much of what one attempt of a run writes is kept: lines, and characters of text, line ends included."""

    lines: int = 1_000_000
    size: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process.

    `state` holds what must not be lost (the database) and what processes on this host say to each other; `cache` holds
    what can be fetched again. Both are absolute. `store` is the address of the store. `start_method`, one of
    START_METHODS, is how runs get their processes. `log_format`, one of LOG_FORMATS, is how a server says what happens.
    """

    state: Path
    cache: Path
    store: str
    start_method: str = START_METHODS[0]
    log_format: str = LOG_FORMATS[0]
    log_limits: LogLimits = LogLimits()

    @property
    def signs(self) -> Path:
        """The directory in which the servers of this store on this host show that they live."""
        if kind_of(self.store) == "server":
            return self.state / "servers" / f"{short_name(self.store)}.runners"
        file = store_file(self.store)
        return file.with_name(f"{file.name}.runners")

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read FLOWSOURCE_HOME, _CACHE, _STORE, _START_METHOD, _LOG_FORMAT, _LOG_LINES and _LOG_MIB.

        Raises InvalidSettings naming each problem.

        Without them, or where they are empty, the user's data and cache directories serve, and a SQLite file in the
        former. The last two are how much of what one attempt of a run writes is kept.
        """
        problems: list[str] = []
        home = _directory("FLOWSOURCE_HOME", environ, problems)
        cache = _directory("FLOWSOURCE_CACHE", environ, problems)
        state = home or platformdirs.user_data_path("flowsource", appauthor=False)
        if cache is None:
            cache = home / "cache" if home else platformdirs.user_cache_path("flowsource", appauthor=False)
        store = environ.get("FLOWSOURCE_STORE") or f"{SQLITE}{state / 'flowsource.db'}"
        try:
            if kind_of(store) == "server":
                server_url(store, allow_http=ServerAccess(environ).allows_http)
            else:
                store_file(store)
        except InvalidSettings as error:
            problems.append(f"FLOWSOURCE_STORE: {error}")
        method = environ.get("FLOWSOURCE_START_METHOD") or START_METHODS[0]
        log_format = environ.get("FLOWSOURCE_LOG_FORMAT") or LOG_FORMATS[0]
        for name, check, given in (
            ("FLOWSOURCE_START_METHOD", check_start_method, method),
            ("FLOWSOURCE_LOG_FORMAT", check_log_format, log_format),
        ):
            try:
                check(given)
            except InvalidSettings as error:
                problems.append(f"{name}: {error}")
        limits = LogLimits()
        lines = _number("FLOWSOURCE_LOG_LINES", limits.lines, environ, problems)
        mebibytes = _number("FLOWSOURCE_LOG_MIB", limits.size >> 20, environ, problems)
        if problems:
            raise InvalidSettings(" ".join([*problems, "Correct the environment."]))
        return cls(
            state=state,
            cache=cache,
            store=store,
            start_method=method,
            log_format=log_format,
            log_limits=LogLimits(lines=lines, size=mebibytes << 20),
        )


def check_start_method(method: str) -> None:
    """Raise InvalidSettings for what is no way to start runs."""
    if method not in START_METHODS:
        raise InvalidSettings(f"{method!r} is no way to start runs. Give {' or '.join(map(repr, START_METHODS))}.")


def check_log_format(log_format: str) -> None:
    """Raise InvalidSettings for what is no way to say what happens."""
    if log_format not in LOG_FORMATS:
        raise InvalidSettings(f"{log_format!r} is no format. Give {' or '.join(map(repr, LOG_FORMATS))}.")


def store_file(address: str) -> Path:
    """The file that the store at `address` is in; raises InvalidSettings for what is no address of a store.

    `sqlite:///PATH` is a SQLite file, relative to the working directory unless PATH begins with a slash or with `~`.
    Links are followed, so that one file has one path, however it is spelled.
    """
    given = address.removeprefix(SQLITE)
    if given == address or not given:
        # Only its kind: the rest of an address may hold a password.
        raise InvalidSettings(f"{address.split(':', 1)[0]!r} is not a store. Give {SQLITE}PATH.")
    try:
        path = Path(os.path.realpath(Path(given).expanduser()))
    except RuntimeError:
        raise InvalidSettings(f"{given!r} is in the home of a user who is not known here.") from None
    if os.path.isdir(path):
        raise InvalidSettings(f"{given!r} is a directory. Give {SQLITE}PATH with the name of a file.")
    return path


def _directory(name: str, environ: Mapping[str, str], problems: list[str]) -> Path | None:
    """The directory that the variable `name` gives, or None; what is wrong with it is added to `problems`."""
    given = environ.get(name)
    if not given:
        return None
    try:
        path = Path(given).expanduser()
    except RuntimeError:
        problems.append(f"{name}: {given!r} is in the home of a user who is not known here.")
        return None
    if not path.is_absolute():
        problems.append(f"{name}: {given!r} is not an absolute path.")
    return path


def _number(name: str, default: int, environ: Mapping[str, str], problems: list[str]) -> int:
    """The number that the variable `name` gives, which must be positive; what is wrong with it goes to `problems`."""
    given = environ.get(name)
    if not given:
        return default
    if not (given.isascii() and given.isdecimal() and int(given)):
        problems.append(f"{name}: {given!r} is not a whole number above 0.")
        return default
    return int(given)
