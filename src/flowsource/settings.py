"""The settings of a process: which there are, and what each value means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import platformdirs

from flowsource.configuration import CONFIG, Given, read_given, variable_of
from flowsource.errors import InvalidSettings

_SQLITE = "sqlite:///"
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
        file = store_file(self.store)
        return file.with_name(f"{file.name}.runners")

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ, **arguments: str | None) -> Self:
        """What `arguments` say by name, else the environment, else a file (see `configuration.read_given`), else what
        is usual; `SETTINGS` has all that can be set.

        Raises InvalidSettings naming each problem, with where the value is from.
        """
        values, _ = settle(environ, **arguments)
        return cls(
            state=values["home"],
            cache=values["cache"],
            store=values["store"],
            start_method=values["start_method"],
            log_format=values["log_format"],
            log_limits=LogLimits(lines=values["log_lines"], size=values["log_mib"] << 20),
        )

    def as_variables(self) -> dict[str, str]:
        """The environment variables with which another process comes to the same settings, wherever it is."""
        values = {
            "home": self.state,
            "cache": self.cache,
            "store": self.store,
            "start_method": self.start_method,
            "log_format": self.log_format,
            "log_lines": self.log_limits.lines,
            "log_mib": self.log_limits.size >> 20,
        }
        return {CONFIG: os.devnull, **{variable_of(name): str(value) for name, value in values.items()}}


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set: `read` makes a value of the text that was given, and raises InvalidSettings; `default`
    makes one of the values of those before it, and of what was given."""

    meaning: str
    read: Callable[[str], Any]
    default: Callable[[Mapping[str, Any], Mapping[str, Given]], Any]


def settle(environ: Mapping[str, str], **arguments: str | None) -> tuple[dict[str, Any], dict[str, Given]]:
    """The value of every setting, and by what those were given that were; raises InvalidSettings."""
    given, problems = read_given(environ, arguments, known=SETTINGS)
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        try:
            values[name] = setting.read(given[name].text) if name in given else setting.default(values, given)
        except InvalidSettings as error:
            problems.append(f"{given[name].label}: {error}")
            values[name] = setting.default(values, given)
    if problems:
        raise InvalidSettings(" ".join(problems))
    return values, given


def shown(value: object) -> str:
    """The value of a setting as people may see it: a password in an address is masked.

    >>> shown("postgresql://anna:secret@db/flows")
    'postgresql://anna:***@db/flows'
    """
    return re.sub(r"(?<=://)([^/@]*?):[^/]*@", r"\1:***@", str(value))


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
    given = address.removeprefix(_SQLITE)
    if given == address or not given:
        # Only its kind: the rest of an address may hold a password.
        raise InvalidSettings(f"{address.split(':', 1)[0]!r} is not a store. Give {_SQLITE}PATH.")
    try:
        path = Path(os.path.realpath(Path(given).expanduser()))
    except RuntimeError:
        raise InvalidSettings(f"{given!r} is in the home of a user who is not known here.") from None
    if os.path.isdir(path):
        raise InvalidSettings(f"{given!r} is a directory. Give {_SQLITE}PATH with the name of a file.")
    return path


def _directory(given: str) -> Path:
    try:
        path = Path(given).expanduser()
    except RuntimeError:
        raise InvalidSettings(f"{given!r} is in the home of a user who is not known here.") from None
    if not path.is_absolute():
        raise InvalidSettings(f"{given!r} is not an absolute path.")
    return path


def _usual_cache(values: Mapping[str, Any], given: Mapping[str, Given]) -> Path:
    if "home" in given:
        return Path(values["home"] / "cache")
    return platformdirs.user_cache_path("flowsource", appauthor=False)


def _number(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and int(given)):
        raise InvalidSettings(f"{given!r} is not a whole number above 0.")
    return int(given)


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    def read(given: str) -> str:
        check(given)
        return given

    return read


SETTINGS: Mapping[str, Setting] = {
    "home": Setting(
        "the directory that holds the database",
        _directory,
        lambda values, given: platformdirs.user_data_path("flowsource", appauthor=False),
    ),
    "cache": Setting("the directory for what can be fetched again", _directory, _usual_cache),
    "store": Setting(
        "the address of the database",
        _checked(store_file),
        lambda values, given: f"{_SQLITE}{values['home'] / 'flowsource.db'}",
    ),
    "start_method": Setting(
        f"how runs get their processes: {' or '.join(START_METHODS)}",
        _checked(check_start_method),
        lambda values, given: START_METHODS[0],
    ),
    "log_format": Setting(
        f"how a server says what happens: {' or '.join(LOG_FORMATS)}",
        _checked(check_log_format),
        lambda values, given: LOG_FORMATS[0],
    ),
    "log_lines": Setting("how many lines of one attempt are kept", _number, lambda values, given: LogLimits().lines),
    "log_mib": Setting(
        "how many MiB of text of one attempt are kept", _number, lambda values, given: LogLimits().size >> 20
    ),
}
