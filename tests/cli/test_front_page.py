"""Help and version are there at once, and true."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from cyclopts import App

import flowsource
from flowsource.cli import exits
from flowsource.cli.commands import commands
from flowsource.cli.front_page import FRONT_PAGE
from tests.cli.calling import CommandLine
from tests.support.modules import modules_loaded_by

COMMANDS = [
    *("serve", "dev", "run", "logs", "why", "store prune", "config show", "doctor", "completion", "demo"),
    *(
        "runs ls",
        "runs show",
        "runs cancel",
        "runs rerun",
        "runs watch",
        "runners ls",
        "deployments ls",
        "deployments show",
    ),
    *(f"deployments {name}" for name in ("history", "pin", "unpin", "rollback", "accept", "recheck")),
    *(f"deployments {name}" for name in ("pause", "resume", "run", "delete")),
    *(f"triggers {name}" for name in ("ls", "show", "add", "pause", "resume", "remove")),
    *("events ls", "events tail", "events emit"),
    *(f"schedules {name}" for name in ("ls", "next", "add", "pause", "resume", "remove")),
    *("store status", "store downgrade"),
    *(f"source {name}" for name in ("ls", "explain", "sync", "pause", "resume", "check", "gc", "listen")),
    "dashboard",
    "server start",
    *(f"{group} {name}" for group in ("tokens", "server token") for name in ("create", "ls", "revoke")),
]


def test_the_front_page_names_each_command_there_is() -> None:
    there = set(_commands_of(commands()))

    assert there == set(COMMANDS)
    assert all(re.search(rf"(?:^  |\(){command}\b", FRONT_PAGE, re.MULTILINE) for command in there)


def _commands_of(app: App, *path: str) -> Iterator[str]:
    names = [name for name in app if not name.startswith("-")]
    if not names:
        yield " ".join(path)
    for name in names:
        yield from _commands_of(app[name], *path, name)


def test_the_front_page_gives_each_exit_code_but_that_of_a_closed_pipe() -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and not name.startswith("_")}
    given = {int(code) for code in re.findall(r"(?:^|  )(\d+)  ", FRONT_PAGE, re.MULTILINE)}

    assert given == codes - {exits.NOBODY_READS}


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_is_asked_for_in_three_ways(alone: CommandLine, words: list[str]) -> None:
    done = alone(*words)

    assert (done.out, done.err, done.code) == (f"{FRONT_PAGE}\n", "", 0)


def test_the_front_page_fits_on_a_terminal() -> None:
    assert max(map(len, FRONT_PAGE.splitlines())) <= 100


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_load_no_library(word: str) -> None:
    loaded = modules_loaded_by(f"from flowsource.cli import main; main([{word!r}])")

    assert {name.partition(".")[0] for name in loaded} & {
        "cyclopts",
        "rich",
        "sqlalchemy",
        "anyio",
        "pydantic",
    } == set()


def test_python_runs_the_package_as_the_command(alone: CommandLine) -> None:
    done = alone.run("--version")

    assert (done.out, done.err, done.code) == (f"flowsource {flowsource.__version__}\n", "", 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_all_it_takes(alone: CommandLine, command: str) -> None:
    done = alone(*command.split(), "--help")

    assert done.code == 0
    assert done.out.startswith(f"Usage: flowsource {command}")
    options = re.findall(r"^  (--\S+.*)$", done.out, re.MULTILINE)
    assert options or command == "completion"
    assert [line for line in options if not re.search(r"  \w", line)] == []
