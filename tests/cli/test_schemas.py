"""What commands print with `--json` is as its published schema says; and says no more than that knows of."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flowsource.cli.commands import commands
from tests.cli.calling import CommandLine, Done
from tests.cli.keeping import keep
from tests.cli.schemas import OF_A_QUERY, PLACE, SHAPES, adapter_of, text
from tests.cli.test_front_page import COMMANDS
from tests.store.words import Server

# What a schedule or a trigger says beside the rest depends on its kind.
_OPEN = ("schedules", "triggers")


def check(command: str, done: Done, *, code: int = 0, by_line: bool = False) -> list[Any]:
    """Hold what a command printed against its schema, and against its shape without any more; the values."""
    assert done.code == code, done.err
    texts = done.out.splitlines() if by_line else [done.out]
    assert texts, "it printed nothing"
    published = json.loads(PLACE.read_text(encoding="utf-8"))
    schema = {**published["commands"][command], "$defs": published["$defs"]}
    values = [json.loads(line) for line in texts]
    for line, value in zip(texts, values, strict=True):
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)
        adapter_of(SHAPES[command]).validate_json(line, extra=None if command.startswith(_OPEN) else "forbid")
    return values


def test_the_published_schemas_are_those_of_the_shapes() -> None:
    assert PLACE.read_text(encoding="utf-8") == text(), "python -m tests.cli.schemas"


def test_each_command_that_prints_json_has_a_schema() -> None:
    assert {command for command in COMMANDS if _takes_json(command)} == set(SHAPES)


def _takes_json(command: str) -> bool:
    app = commands()
    for name in command.split():
        app = app[name]
    assert app.default_command is not None
    return "json" in inspect.signature(app.default_command).parameters


@pytest.fixture(scope="module")
def run(served: CommandLine) -> str:
    """The name of a run that failed and was tried from the command line."""
    served.run("run", "greet/daily", "-p", "failing=true", "--name", "of-the-schemas", "--watch")
    return "of-the-schemas"


@pytest.mark.parametrize(
    "command",
    [
        *("runs ls", "deployments ls", "schedules ls", "schedules next", "events ls", "source ls", "runners ls"),
        *("config show", "doctor", "store status", "triggers ls", "dashboard", "tokens ls", "server token ls"),
    ],
)
def test_a_list_is_as_its_schema_says(served: CommandLine, run: str, command: str) -> None:
    [values] = check(command, served(*command.split(), "--json"))
    assert values or command in ("triggers ls", "tokens ls", "server token ls")


@pytest.mark.parametrize("command", ["runs show", "why", "runs rerun"])
def test_a_run_is_as_its_schema_says(served: CommandLine, run: str, command: str) -> None:
    check(command, served(*command.split(), run, "--json"))


def test_the_log_of_a_run_is_as_its_schema_says_line_by_line(served: CommandLine, run: str) -> None:
    assert len(check("logs", served("logs", run, "--json"), by_line=True)) > 1


@pytest.mark.parametrize("command", ["deployments show", "deployments history", "why", "triggers show", "run"])
def test_a_deployment_is_as_its_schema_says(served: CommandLine, command: str) -> None:
    check(command, served(*command.split(), "greet/daily", "--json"))


def test_what_acts_on_a_deployment_tells_it_as_its_schema_says(alone: CommandLine) -> None:
    async def leave(server: Server) -> None:
        await server.ask(name="brave-otter")
        await server.store.retire(server.id, now=server.store.now())

    keep(alone, leave)
    words = {
        "deployments pause": ("etl/nightly",),
        "deployments resume": ("etl/nightly",),
        "deployments pin": ("etl/nightly", "1111111"),
        "deployments unpin": ("etl/nightly",),
        "schedules add": ("etl/nightly", "--cron", "0 2 * * *", "--slug", "s"),
        "schedules pause": ("etl/nightly", "s"),
        "schedules resume": ("etl/nightly", "s"),
        "schedules remove": ("etl/nightly", "s"),
        "triggers add": ("etl/nightly", "--expect", "order.*", "--name", "t"),
        "triggers pause": ("etl/nightly", "t"),
        "triggers resume": ("etl/nightly", "t"),
        "triggers remove": ("etl/nightly", "t"),
        "deployments run": ("etl/nightly",),
        "runs cancel": ("brave-otter",),
        "events emit": ("order.created",),
        "store prune": ("--dry-run",),
        "source gc": (),
        "tokens create": ("ci", "--scope", "viewer"),
        "tokens revoke": ("ci",),
        "deployments delete": ("etl/nightly", "--yes"),
    }
    for command, given in words.items():
        check(command, alone(*command.split(), *given, "--json"))


def test_an_act_on_all_of_a_query_tells_how_many(served: CommandLine) -> None:
    for words in (("runs", "cancel", "name:no-such-*"), ("deployments", "pause", "tag:no-such")):
        adapter_of(OF_A_QUERY).validate_json(served(*words, "--yes", "--json").out)


def test_what_a_check_of_a_source_finds_is_as_its_schema_says(alone: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text("def good():\n    pass\n")
    for entrypoint, code in (("flows.py:good", 0), ("flows.py:bad", 1)):
        check("source check", alone("source", "check", str(tmp_path), entrypoint, "--json"), code=code)
