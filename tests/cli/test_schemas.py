"""What commands print with `--json` is as its published schema says; and says no more than that knows of."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from flowsource.cli.commands import commands
from flowsource.store.schema import REVISIONS
from tests.cli.calling import CommandLine, Done
from tests.cli.keeping import keep
from tests.cli.schemas import PLACE, SHAPES, hold, text
from tests.cli.test_front_page import COMMANDS
from tests.cli.test_sources import report, told
from tests.store.words import Server


def check(done: Done, *, code: int = 0) -> Any:
    """The JSON that it printed, which `CommandLine` has held against its schema."""
    assert (done.code, bool(done.out)) == (code, True), done.err
    return json.loads(done.out)


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
    assert check(served(*command.split(), "--json")) or command in ("triggers ls", "tokens ls", "server token ls")


@pytest.mark.parametrize("command", ["runs show", "why", "runs rerun"])
def test_a_run_is_as_its_schema_says(served: CommandLine, run: str, command: str) -> None:
    check(served(*command.split(), run, "--json"))


def test_the_log_of_a_run_is_as_its_schema_says_line_by_line(served: CommandLine, run: str) -> None:
    assert len(served("logs", run, "--json").out.splitlines()) > 1


@pytest.mark.parametrize("command", ["deployments show", "deployments history", "why", "triggers show", "run"])
def test_a_deployment_is_as_its_schema_says(served: CommandLine, command: str) -> None:
    check(served(*command.split(), "greet/daily", "--json"))


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
        check(alone(*command.split(), *given, "--json"))


@pytest.mark.parametrize("command", ["runs cancel", "runs rerun", "deployments pause", "deployments resume"])
def test_an_act_on_all_of_a_query_tells_how_many(served: CommandLine, command: str) -> None:
    words = ("name:no-such-*",) if command.startswith("runs") else ("tag:no-such",)
    assert check(served(*command.split(), *words, "--yes", "--json"))["hit"] == 0


def test_what_a_check_of_a_source_finds_is_as_its_schema_says(alone: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text("def good():\n    pass\n")
    for entrypoint, code in (("flows.py:good", 0), ("flows.py:bad", 1)):
        check(alone("source", "check", str(tmp_path), entrypoint, "--json"), code=code)


@pytest.mark.parametrize("command", ["source explain", "source pause", "source resume", "source sync"])
def test_a_source_is_as_its_schema_says(alone: CommandLine, command: str) -> None:
    told(alone, report())
    assert check(alone(*command.split(), "flows", "--json"))


def test_events_are_as_their_schema_says_line_by_line_as_they_come(alone: CommandLine) -> None:
    alone("events", "emit", "order.created")
    with alone.start("events", "tail", "--json") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    assert json.loads(line)["name"] == "order.created"
    hold(("events", "tail"), line)


def test_versions_of_the_tables_are_as_their_schema_says(served: CommandLine) -> None:
    assert check(served("store", "downgrade", REVISIONS[-1], "--json"))["version"] == REVISIONS[-1]
