"""`flowsource run` asks for a run, and with --watch shows it as it goes."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.calling import CommandLine
from tests.cli.conftest import SCRIPT
from tests.support.serving import serving


def test_it_says_what_was_asked_for_and_how_to_follow_it(served: CommandLine) -> None:
    done = served("run", "greet/daily", "--name", "first of all")

    name, run_id = done.out.rstrip().split("  ")
    assert (name, done.code) == ("first of all", 0)
    assert served("runs", "show", run_id, "--json").json["name"] == name
    assert f"Follow it:\n  flowsource logs {run_id} -f\n" in done.err


def test_a_parameter_has_the_type_that_the_flow_wants(served: CommandLine) -> None:
    done = served("run", "daily", "-p", "name=5", "-p", "times=3", "--json")

    assert done.json["parameters"] == {"name": "5", "times": 3}


def test_parameters_come_from_standard_input(served: CommandLine) -> None:
    done = served.run("run", "greet/daily", "--params", "-", "--json", given='{"name": "Ada"}')

    assert done.json["parameters"] == {"name": "Ada", "times": 2}


def test_a_run_may_be_asked_for_in_the_future(served: CommandLine) -> None:
    at = datetime.now(UTC) + timedelta(hours=3)

    done = served("run", "greet/daily", "--at", at.isoformat(), "--tag", "one", "--tag", "two", "--json")

    assert (done.json["state"], done.json["scheduled_at"]) == ("scheduled", at.isoformat())
    assert done.json["tags"] == ["kind", "one", "two"]
    assert "due in " in done.err


def test_watching_shows_lines_as_they_come(served: CommandLine, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    with served.start("run", "greet/daily", "--watch", "-p", f"gate={gate}", "-p", "name=Ada") as process:
        assert process.stdout is not None and process.stderr is not None
        # The run cannot end before the gate is open, so what is read here was shown while it ran.
        assert process.stdout.readline().endswith("INFO    Hello, Ada!\n")
        gate.touch()
        assert len(process.stdout.read().splitlines()) == 1
        said = process.stderr.read()

    assert process.returncode == 0
    assert [word for word in ("● running at ", "✔ completed after ") if word not in said] == []


def test_the_exit_code_is_that_of_the_run(served: CommandLine) -> None:
    done = served("run", "greet/daily", "-p", "failing=true", "--watch")

    assert done.code == 1
    assert "ERROR   now it fails" in done.out
    assert "✖ failed after" in done.err and "RuntimeError: as was asked for" in done.err


def test_with_json_the_run_alone_is_the_data(served: CommandLine) -> None:
    done = served("run", "greet/daily", "--watch", "--json", "-p", "name=Ada")

    assert (done.json["state"], done.json["result"]) == ("completed", {"greeted": "Ada"})
    assert "Hello, Ada!" in done.err


def test_ctrl_c_ends_the_watching_and_not_the_run(served: CommandLine, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    with served.start("run", "greet/daily", "--watch", "--name", "left", "-p", f"gate={gate}") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()

    assert process.returncode == 130
    assert "Not watching any more; left goes on. Follow it again:\n  flowsource logs 0" in said
    assert "Traceback" not in said
    assert served("runs", "show", "left", "--json").json["state"] == "running"
    gate.touch()
    assert "✔ completed" in served("logs", "left", "-f").err


def test_watching_may_have_a_time_limit(served: CommandLine, tmp_path: Path) -> None:
    gate = tmp_path / "open"

    done = served("run", "greet/daily", "--watch", "--timeout", "0.2", "--name", "slow", "-p", f"gate={gate}")

    assert done.code == 124
    assert "Not watching any more after 0.2 s; slow goes on." in done.err
    gate.touch()
    assert served("logs", "slow", "-f").code == 0


def test_an_unknown_deployment_is_answered_with_names_near_it(served: CommandLine) -> None:
    done = served("run", "greet/dayly")

    assert (done.code, done.out) == (3, "")
    assert "did you mean greet/daily?" in done.err


@pytest.mark.parametrize(
    ("pair", "said"),
    [("bogus=1", "bogus: is not a parameter of this flow"), ("times=often", "times: should be integer")],
)
def test_parameters_that_do_not_fit_create_no_run(served: CommandLine, pair: str, said: str) -> None:
    before = len(served("runs", "ls", "--json", "--limit", "1000").json)

    done = served("run", "greet/daily", "-p", pair)

    assert done.code == 2
    assert said in done.err
    assert len(served("runs", "ls", "--json", "--limit", "1000").json) == before


def test_without_a_server_the_run_waits_and_that_is_said(tmp_path: Path) -> None:
    script = tmp_path / "flows.py"
    script.write_text(SCRIPT)
    alone = CommandLine(tmp_path / "home")
    with serving(script, alone.home):
        pass

    done = alone("run", "greet/daily", "--json")

    assert json.loads(done.out)["state"] == "scheduled"
    assert "No server serves it now; it will wait for one." in done.err
