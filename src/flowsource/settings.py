"""The settings of a process: which there are, and what each value means."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import platformdirs

from flowsource.addresses import SQLITE, check_address, short_name, shown, signs_of
from flowsource.configuration import CONFIG, Given, read_given, variable_of
from flowsource.errors import InvalidSettings
from flowsource.retention import Keeping, kept_for, told_length
from flowsource.server_access import ServerAccess

# What a server says: for a person, or each line an object for a machine.
LOG_FORMATS = ("text", "json")
# How runs get their processes: forked from one that has imported what they need, or each a Python of its own.
START_METHODS = ("fork-server", "spawn")
DASHBOARD = 8786


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """How much of what one attempt of a run writes is kept: lines, and characters of text, line ends included."""

    lines: int = 1_000_000
    size: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process.

    `state` holds what must not be lost (the database) and what processes on this host say to each other; `cache` holds
    what can be fetched again. Both are absolute. `store` is the address of the store, which may hold a password.
    `start_method`, one of START_METHODS, is how runs get their processes. `log_format`, one of LOG_FORMATS, is how a
    server says what happens. `keeping` is how long runs, their logs and events are kept. `dashboard` is the port at
    which a serving process has its dashboard on this machine, unless that is taken.
    """

    state: Path
    cache: Path
    store: str = field(repr=False)
    start_method: str = START_METHODS[0]
    log_format: str = LOG_FORMATS[0]
    log_limits: LogLimits = LogLimits()
    keeping: Keeping = field(default_factory=Keeping)
    dashboard: int = DASHBOARD

    @property
    def signs(self) -> Path:
        """The directory in which the servers of this store on this host show that they live."""
        return signs_of(self.store, self.state)

    @property
    def scratch(self) -> Path:
        """The directory below which runs of this store work: of those of another nobody here knows whether they do."""
        return self.cache / "scratch" / short_name(self.store)

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
            keeping=Keeping(runs=values["keep_runs"], logs=values["keep_logs"], events=values["keep_events"]),
            dashboard=values["dashboard"],
        )

    def as_variables(self) -> dict[str, str]:
        """The environment variables with which another process comes to the same settings, wherever it is; but for a
        password of the store, which it is to have from elsewhere."""
        values = {
            "home": self.state,
            "cache": self.cache,
            "store": shown(self.store),
            "start_method": self.start_method,
            "log_format": self.log_format,
            "log_lines": self.log_limits.lines,
            "log_mib": self.log_limits.size >> 20,
            "keep_runs": told_length(self.keeping.runs),
            "keep_logs": told_length(self.keeping.logs),
            "dashboard": self.dashboard,
            "keep_events": told_length(self.keeping.events),
        }
        return {CONFIG: os.devnull, **{variable_of(name): str(value) for name, value in values.items()}}


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set: `read` makes a value of the text that was given, and raises InvalidSettings; `default`
    makes one of the values of those before it, and of what was given. `show` tells it to people, without secrets."""

    meaning: str
    read: Callable[[str], Any]
    default: Callable[[Mapping[str, Any], Mapping[str, Given]], Any]
    show: Callable[[Any], str] = str


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


def check_start_method(method: str) -> None:
    """Raise InvalidSettings for what is no way to start runs."""
    if method not in START_METHODS:
        raise InvalidSettings(f"{method!r} is no way to start runs. Give {' or '.join(map(repr, START_METHODS))}.")


def check_log_format(log_format: str) -> None:
    """Raise InvalidSettings for what is no way to say what happens."""
    if log_format not in LOG_FORMATS:
        raise InvalidSettings(f"{log_format!r} is no format. Give {' or '.join(map(repr, LOG_FORMATS))}.")


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


def _port(given: str) -> int:
    port = _number(given)
    if port > 65535:
        raise InvalidSettings(f"{given!r} is not a port. Give a number up to 65535.")
    return port


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
        _checked(lambda given: check_address(given, allow_http=ServerAccess().allows_http)),
        lambda values, given: f"{SQLITE}{values['home'] / 'flowsource.db'}",
        shown,
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
    "keep_runs": Setting(
        "how long runs are kept once they have ended", kept_for, lambda values, given: Keeping().runs, told_length
    ),
    "keep_logs": Setting(
        "how long the logs of runs are kept", kept_for, lambda values, given: Keeping().logs, told_length
    ),
    "keep_events": Setting(
        "how long events that belong to no run are kept",
        kept_for,
        lambda values, given: Keeping().events,
        told_length,
    ),
    "dashboard": Setting(
        "the port of the dashboard of `serve`, unless it is taken", _port, lambda values, given: DASHBOARD
    ),
}
